use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Builder, Credentials, Region};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use ordered_core::transport::TransportError;

use crate::address::Address;

/// Emulators ask for a region and do not care which.
const REGION_OF_ENDPOINTS: &str = "us-east-1";

const CONNECT: Duration = Duration::from_secs(3);
const ATTEMPT: Duration = Duration::from_secs(5);
const OPERATION: Duration = Duration::from_secs(15);

/// A client for the address, with what it does not say from the environment and the profile.
pub(crate) async fn connect(address: &Address) -> Result<Client, TransportError> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_max_backoff(Duration::from_secs(2)),
        )
        .timeout_config(timeouts(ATTEMPT).build());
    let region = match (&address.region, &address.endpoint) {
        (Some(region), _) => Some(region.clone()),
        // Asking the chain may mean asking the instance's metadata service, which takes its time where there is none.
        (None, Some(_)) => Some(
            std::env::var("AWS_REGION")
                .or_else(|_| std::env::var("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|_| REGION_OF_ENDPOINTS.to_owned()),
        ),
        (None, None) => None,
    };
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if let Some((key, secret)) = &address.keys {
        loader =
            loader.credentials_provider(Credentials::new(key, secret, None, None, "sqs:// URL"));
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(TransportError::fatal(
            "SQS: no region is known: set AWS_REGION, give the profile a region, or add `?region=…` to the URL",
        ));
    }
    let mut builder = Builder::from(&config);
    if let Some(endpoint) = &address.endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    Ok(Client::from_conf(builder.build()))
}

/// Limits for calls of which one attempt may take this long.
pub(crate) fn timeouts(attempt: Duration) -> aws_config::timeout::TimeoutConfigBuilder {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT.min(attempt))
        .operation_attempt_timeout(attempt)
        .operation_timeout(OPERATION.max(attempt))
}
