//! Events as messages of SQS and back. What SQS allows in a message:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html> and
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.

mod attributes;
mod body;
mod decode;
mod encode;

pub(crate) use attributes::text_attribute;
pub(crate) use decode::{Incoming, decode};
pub(crate) use encode::{Outgoing, encode};

/// The largest message, and the largest batch of them: body and attributes together.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Whether SQS takes the text, in bodies and in attributes.
fn is_allowed(text: &str) -> bool {
    text.chars().all(is_of_xml)
}

/// The text, with a replacement for every character that SQS does not take.
pub(crate) fn allowed(text: &str) -> String {
    let replaced = |character| {
        if is_of_xml(character) {
            character
        } else {
            '\u{FFFD}'
        }
    };
    text.chars().map(replaced).collect()
}

/// The characters that XML 1.0 has; SQS refuses all others.
fn is_of_xml(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..
    )
}
