use std::collections::BTreeMap;

use serde::Deserialize;

use crate::event::Envelope;
use crate::handler::identity::Malformed;
use crate::handler::unreadable;

/// What SNS puts around a message for a queue that has not asked for raw delivery:
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    #[serde(rename = "Type")]
    kind: Option<String>,
    message: Option<String>,
    message_id: Option<String>,
    topic_arn: Option<String>,
    subject: Option<String>,
    timestamp: Option<String>,
    sequence_number: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    #[serde(rename = "Type")]
    kind: String,
    value: String,
}

/// The event in a notification of SNS: its message is the body, and its attributes are headers, as with raw delivery.
///
/// What SNS says of it is in the headers `sns.message_id`, `sns.topic_arn`, `sns.subject`, `sns.timestamp` and
/// `sns.sequence_number`. Attributes of bytes are left out.
///
/// # Errors
/// When the body is no notification.
pub fn sns_message(envelope: &Envelope) -> Result<Envelope, Malformed> {
    unreadable::check_there(&envelope.body)?;
    let notification: Notification = serde_json::from_slice(&envelope.body)
        .map_err(|error| unreadable::no_event(&envelope.body, &error, "notification of SNS"))?;
    match notification.kind.as_deref() {
        Some("Notification") => {}
        Some(other) => {
            return Err(Malformed(format!(
                "the body is a message of SNS of the type `{other}`, and an event comes in a `Notification`"
            )));
        }
        None => {
            return Err(Malformed(
                "the body is no notification of SNS: where raw message delivery is on, leave `envelope = \"sns\"` out"
                    .into(),
            ));
        }
    }
    let Some(message) = notification.message else {
        return Err(Malformed("the notification of SNS has no `Message`".into()));
    };
    let mut headers = envelope.headers.clone();
    for (name, attribute) in notification.message_attributes {
        if attribute.kind != "Binary" {
            headers.insert(name, attribute.value);
        }
    }
    for (name, value) in [
        ("sns.message_id", notification.message_id),
        ("sns.topic_arn", notification.topic_arn),
        ("sns.subject", notification.subject),
        ("sns.timestamp", notification.timestamp),
        ("sns.sequence_number", notification.sequence_number),
    ] {
        if let Some(value) = value {
            headers.insert(name.to_owned(), value);
        }
    }
    Ok(Envelope {
        body: message.into(),
        headers,
        published_at: envelope.published_at,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_notification_is_its_message_with_its_attributes() {
        let body = json!({
            "Type": "Notification",
            "MessageId": "m-1",
            "TopicArn": "arn:aws:sns:eu-west-1:1:orders",
            "Message": "{\"order\":\"a\"}",
            "Timestamp": "2026-01-01T00:00:00.000Z",
            "SignatureVersion": "1",
            "MessageAttributes": {
                "seq": {"Type": "Number", "Value": "7"},
                "blob": {"Type": "Binary", "Value": "AAE="},
            },
        });
        let mut outer = Envelope::new(body.to_string());
        outer.headers.insert("kept".into(), "yes".into());
        let inner = sns_message(&outer).unwrap();
        assert_eq!(inner.body, "{\"order\":\"a\"}");
        let headers: Vec<(&str, &str)> = inner
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            headers,
            [
                ("kept", "yes"),
                ("seq", "7"),
                ("sns.message_id", "m-1"),
                ("sns.timestamp", "2026-01-01T00:00:00.000Z"),
                ("sns.topic_arn", "arn:aws:sns:eu-west-1:1:orders"),
            ]
        );
    }

    #[test]
    fn what_is_no_notification_is_told_with_what_to_do() {
        for (body, words) in [
            (json!({"order": "a"}), "raw message delivery"),
            (
                json!({"Type": "SubscriptionConfirmation", "Message": "x"}),
                "`SubscriptionConfirmation`",
            ),
            (json!({"Type": "Notification"}), "has no `Message`"),
            (json!([1]), "not a valid notification of SNS"),
        ] {
            let Malformed(text) = sns_message(&Envelope::new(body.to_string())).unwrap_err();
            assert!(text.contains(words), "{text}");
        }
    }
}
