use std::fmt;

use ordered_core::transport::TransportError;
use url::Url;

const PARAMETERS: &str = "`region`, `endpoint`, `account` and `message_group`";

/// What a `sqs://` URL says.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Address {
    pub(crate) queue: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    /// The account that the queue belongs to, where it is another than that of the credentials.
    pub(crate) account: Option<String>,
    /// Which header or field of its JSON is the message group of a published event, on a FIFO queue.
    pub(crate) message_group: Option<String>,
    /// Access key and secret.
    pub(crate) keys: Option<(String, String)>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, TransportError> {
        // The text may have a secret in it, so no message quotes it.
        let wrong = |what: &str| {
            TransportError::fatal(format!(
                "this is not the URL of an SQS queue: {what}; one looks like \
                 `sqs://order-events?region=eu-central-1`"
            ))
        };
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if url.scheme() != "sqs" {
            return Err(wrong("its scheme is not `sqs`"));
        }
        if !matches!(url.path(), "" | "/") || url.port().is_some() {
            let what = "after `sqs://` comes the queue's name, and a local endpoint is given as \
                        `?endpoint=http://127.0.0.1:4566`";
            return Err(wrong(what));
        }
        let mut address = Self {
            queue: url
                .host_str()
                .filter(|host| !host.is_empty())
                .map(str::to_owned),
            ..Self::default()
        };
        if !url.username().is_empty() {
            let secret = url
                .password()
                .ok_or_else(|| wrong("it has an access key and no secret"))?;
            address.keys = Some((decoded(url.username()), decoded(secret)));
        }
        for (name, value) in url.query_pairs() {
            let place = match &*name {
                "region" => &mut address.region,
                "endpoint" => &mut address.endpoint,
                "account" => &mut address.account,
                "message_group" => &mut address.message_group,
                // Behind a `?` in a secret comes more of it.
                _ if text.contains('?') && text.rfind('@') > text.find('?') => {
                    return Err(wrong(
                        "in a secret, `?`, `/` and `#` are written %3f, %2f and %23",
                    ));
                }
                _ => {
                    let what = format!("it has no parameter `{name}`, only {PARAMETERS}");
                    return Err(wrong(&what));
                }
            };
            // They are shown, and where there is an `@` there may be a secret before it.
            if value.contains('@') {
                return Err(wrong(&format!(
                    "`{name}` has an `@` in it: keys stand before the queue, `sqs://key:secret@queue`"
                )));
            }
            if value.is_empty() || place.replace(value.into_owned()).is_some() {
                return Err(wrong(&format!("`{name}` must be given once, with a value")));
            }
        }
        if let Some(endpoint) = &address.endpoint {
            let url = Url::parse(endpoint).ok();
            if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
                return Err(wrong(
                    "`endpoint` must be a URL with `http://` or `https://`",
                ));
            }
        }
        Ok(address)
    }
}

/// Secrets of AWS have `/` and `+` in them, so they come percent-encoded.
fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map_or_else(String::new, |(_, value)| value.into_owned())
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("queue", &self.queue)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("account", &self.account)
            .field("message_group", &self.message_group)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_enough() {
        let address = Address::parse("sqs://order-events.fifo").unwrap();
        assert_eq!(address.queue.as_deref(), Some("order-events.fifo"));
        assert_eq!(
            address,
            Address {
                queue: address.queue.clone(),
                ..Address::default()
            }
        );
        assert_eq!(Address::parse("sqs://").unwrap(), Address::default());
        let upper = Address::parse("sqs://Order_Events?region=eu-central-1").unwrap();
        assert_eq!(upper.queue.as_deref(), Some("Order_Events"));
        assert_eq!(upper.region.as_deref(), Some("eu-central-1"));
        assert_eq!(
            Address::parse("sqs://?region=x").unwrap().region.as_deref(),
            Some("x")
        );
    }

    #[test]
    fn everything_can_be_said() {
        let address = Address::parse(
            "sqs://key:a%2Fb+c%3D@q?region=r&endpoint=http://127.0.0.1:4566&account=000000000000",
        )
        .unwrap();
        assert_eq!(address.keys, Some(("key".into(), "a/b+c=".into())));
        assert_eq!(address.endpoint.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(address.account.as_deref(), Some("000000000000"));
        assert!(!format!("{address:?}").contains("a/b"));
    }

    #[test]
    fn mistakes_are_named_without_the_secret() {
        for (url, word) in [
            ("amqp://key:SECRET@q", "scheme"),
            ("sqs://key:SECRET@127.0.0.1:4566/q", "endpoint="),
            ("sqs://SECRET@q", "no secret"),
            (
                "sqs://key:SECRET@q?regoin=x",
                "only `region`, `endpoint`, `account` and `message_group`",
            ),
            ("sqs://key:SECRET@q?region=", "`region` must be given once"),
            ("sqs://key:SECRET@q?endpoint=127.0.0.1", "`http://`"),
            ("key:SECRET", "scheme"),
            ("sqs://key:?SECRET@q", "%3f"),
            ("sqs://q?endpoint=http://me:SECRET@h", "before the queue"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
