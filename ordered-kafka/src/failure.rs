use ordered_core::transport::TransportError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::address::Address;
use crate::context::ReportedError;

/// Says why nothing worked at the start, and what to do about it.
pub(crate) fn at_start(
    address: &Address,
    error: &KafkaError,
    words: Option<ReportedError>,
) -> TransportError {
    let text = words
        .as_ref()
        .map_or_else(|| error.to_string(), |words| words.text.clone());
    let code = words
        .and_then(|words| words.code)
        .or_else(|| error.rdkafka_error_code());
    let place = address.shown();
    let user = address.user();
    // The client has one code for whatever goes wrong with the authentication, and the broker's words behind it.
    let knows_no_mechanism =
        code == Some(Code::UnsupportedSASLMechanism) || text.contains("Unsupported SASL mechanism");
    let advice = match code {
        _ if knows_no_mechanism => {
            format!("Kafka at {place} does not know this `mechanism`; it is set in the URL")
        }
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => match user {
            Some(user) => format!(
                "Kafka at {place} refuses the user {user:?}: check the name, the password and the `mechanism`"
            ),
            None => format!(
                "Kafka at {place} wants to know who this is: give a user and a password in the URL"
            ),
        },
        Some(Code::SSL) => format!(
            "the connection to Kafka at {place} cannot be encrypted: check the port, `security`, and with \
             `ssl.ca.location` the authority that signed its certificate"
        ),
        Some(Code::Resolve) => format!("no broker of {place} has an address: check the names"),
        _ => format!(
            "Kafka cannot be reached at {place}: check that it runs, that the address is right, and that the listener \
             there is for `{}`",
            address
                .properties
                .get("security.protocol")
                .map_or("plaintext", String::as_str)
        ),
    };
    TransportError::fatal(format!("{advice} ({text})"))
}

/// The client cannot be made like this.
pub(crate) fn misconfigured(error: &KafkaError) -> TransportError {
    let mut why = error.to_string();
    if let KafkaError::ClientConfig(_, text, name, value) = error {
        // The value may be a secret.
        let text = if value.is_empty() {
            text.clone()
        } else {
            text.replace(value, "…")
        };
        why = format!("{name}: {text}");
    }
    let advice = if !cfg!(feature = "tls") && mentions_tls(&why) {
        "TLS and SCRAM are not compiled in: turn on the feature `tls`"
    } else {
        "see https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md for the names and values"
    };
    TransportError::fatal(format!(
        "Kafka's client refuses its configuration: {why}; {advice}"
    ))
}

fn mentions_tls(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["ssl", "scram", "oauthbearer"]
        .iter()
        .any(|word| text.contains(word))
}

/// What to make of an error while records are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// It passes, and the client has said so.
    Passes,
    /// The topic may be gone.
    LooksGone,
    /// It does not pass; what to do about it.
    Fatal(String),
}

pub(crate) fn while_reading(topic: &str, group: &str, error: &KafkaError) -> ReadError {
    let fatal = |text: String| ReadError::Fatal(format!("Kafka: {text} ({error})"));
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
            ReadError::LooksGone
        }
        Some(Code::TopicAuthorizationFailed) => fatal(format!(
            "no right to read the topic `{topic}`: allow the operations READ and DESCRIBE on it"
        )),
        Some(Code::GroupAuthorizationFailed) => fatal(format!(
            "no right to be in the group `{group}`: allow the operation READ on it, or choose another with `?group=…`"
        )),
        Some(Code::InconsistentGroupProtocol) => fatal(format!(
            "the group `{group}` has members that share the partitions in another way: stop them, or choose another \
             group with `?group=…`"
        )),
        Some(Code::InvalidSessionTimeout) => fatal(
            "the broker does not allow this `session.timeout.ms`: set it between the broker's \
             `group.min.session.timeout.ms` and `group.max.session.timeout.ms`"
                .into(),
        ),
        Some(Code::NotImplemented | Code::UnsupportedCompressionType) => fatal(format!(
            "records of the topic `{topic}` are compressed in a way that is not compiled in: turn on the feature \
             `kafka-compression` of `ordered-events` (`gzip` and `zstd` of `ordered-kafka`)"
        )),
        _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
            fatal("the client cannot go on".into())
        }
        _ => ReadError::Passes,
    }
}

/// What to make of a record that was not written.
pub(crate) fn while_writing(topic: &str, error: &KafkaError) -> TransportError {
    let fatal = |text: String| TransportError::fatal(format!("Kafka: {text} ({error})"));
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
            fatal(format!("there is no topic `{topic}`: create it"))
        }
        Some(Code::TopicAuthorizationFailed) => fatal(format!(
            "no right to write to the topic `{topic}`: allow the operations WRITE and DESCRIBE on it"
        )),
        Some(Code::ClusterAuthorizationFailed) => fatal(
            "no right to write idempotently: allow IDEMPOTENT_WRITE on the cluster (brokers before 3.0 ask for \
             it)"
            .into(),
        ),
        Some(Code::MessageSizeTooLarge | Code::MessageBatchTooLarge) => fatal(format!(
            "an event is larger than the topic `{topic}` takes (`max.message.bytes`), with its headers"
        )),
        Some(Code::InvalidRecord) => fatal(format!(
            "the topic `{topic}` refuses an event: a compacted topic takes none without a key, and a time may be too \
             far from now"
        )),
        Some(Code::InvalidTimestamp) => fatal(format!(
            "the topic `{topic}` refuses the time of an event (`message.timestamp.before.max.ms`, `…after.max.ms`)"
        )),
        Some(Code::ThrottlingQuotaExceeded) => TransportError::busy(format!(
            "Kafka: the brokers take no more of this client for now ({error})"
        )),
        _ => TransportError::unavailable(format!(
            "Kafka: the topic `{topic}` did not take an event ({error})"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_configuration_is_not_repeated() {
        let mut config = rdkafka::ClientConfig::new();
        config.set("ssl.endpoint.identification.algorithm", "SECRET");
        let error = config.create_native_config().err();
        let error = error.map(|error| misconfigured(&error).to_string());
        // With TLS or without, it is refused for another reason.
        let error = error.unwrap_or_else(|| panic!("it is taken"));
        assert!(!error.contains("SECRET"), "{error}");
    }
}
