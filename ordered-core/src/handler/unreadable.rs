//! What a body is that cannot be read as JSON, in words for the person who looks for its producer.

use serde_json::Error;
use serde_json::error::Category;

use super::identity::Malformed;

/// # Errors
/// When there is no body.
pub(super) fn check_there(body: &[u8]) -> Result<(), Malformed> {
    if body.is_empty() {
        return Err(Malformed(
            "the body is empty, and must be a JSON event".into(),
        ));
    }
    Ok(())
}

/// Why a body is no event of this type.
pub(super) fn no_event(body: &[u8], error: &Error, event: &str) -> Malformed {
    match error.classify() {
        Category::Data => Malformed(format!(
            "the body is JSON, but not a valid {event}: {error}"
        )),
        _ => not_json(body, error),
    }
}

/// Why a body is not JSON: what it is instead, where that can be seen.
pub(super) fn not_json(body: &[u8], error: &Error) -> Malformed {
    let why = other_format(body)
        .or_else(|| other_encoding(body))
        .unwrap_or_else(|| place(body, error));
    Malformed(format!("the body is not JSON: {why}"))
}

/// Formats that begin with bytes of their own.
fn other_format(body: &[u8]) -> Option<String> {
    let compressed = |with: &str| {
        format!(
            "it is compressed ({with}), and its message does not say so: the producer has to set the content encoding \
             (`content_encoding` of RabbitMQ, the attribute `content-encoding` of SQS)"
        )
    };
    Some(match body {
        [0x1f, 0x8b, ..] => compressed("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => compressed("zstd"),
        [0x78, 0x01 | 0x9c | 0xda, ..] => compressed("deflate"),
        [0xac, 0xed, 0x00, 0x05, ..] => "it is a serialized object of Java".into(),
        [b'O', b'b', b'j', 0x01, ..] => "it is a file of Avro".into(),
        [0x00, _, _, _, _, _, ..] if !is_utf16(body) => {
            "it begins like a message of a schema registry (Avro or Protobuf)".into()
        }
        [b'<', ..] => "it looks like XML".into(),
        _ => return None,
    })
}

fn other_encoding(body: &[u8]) -> Option<String> {
    if let [0xef, 0xbb, 0xbf, ..] = body {
        return Some("it begins with a byte order mark (EF BB BF), which JSON has not".into());
    }
    if matches!(body, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || is_utf16(body) {
        return Some("it is UTF-16, and JSON is UTF-8".into());
    }
    let invalid = std::str::from_utf8(body).err()?;
    let at = invalid.valid_up_to();
    // The last character may be cut in two.
    if invalid.error_len().is_none() {
        return Some(cut_off(body));
    }
    Some(format!(
        "byte {at} (0x{:02x}) is not UTF-8: it is text of another encoding, such as ISO-8859-1, or no text at all",
        body[at]
    ))
}

/// A letter and a zero, again and again.
fn is_utf16(body: &[u8]) -> bool {
    matches!(body, [a, b, c, d, ..] if (*a == 0) != (*b == 0) && (*a == 0) == (*c == 0) && (*b == 0) == (*d == 0))
}

fn cut_off(body: &[u8]) -> String {
    format!("it is cut off at byte {}, before its JSON ends", body.len())
}

fn place(body: &[u8], error: &Error) -> String {
    if error.is_eof() {
        return cut_off(body);
    }
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let words = words
        .strip_suffix(&format!(" at line {line} column {column}"))
        .unwrap_or(&words);
    let before: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let byte = before + column.saturating_sub(1);
    format!("{words} at byte {byte} (line {line}, column {column})")
}

#[cfg(test)]
mod tests {
    use crate::event::Envelope;
    use crate::handler::json_event;

    fn refusal(body: &[u8]) -> String {
        json_event::<serde_json::Value>(&Envelope::new(body.to_vec()))
            .unwrap_err()
            .0
    }

    #[test]
    fn what_is_no_json_is_described_by_what_it_is() {
        let utf16: Vec<u8> = "{\"key\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (body, words) in [
            (&b"\x1f\x8b\x08\0\0"[..], "compressed (gzip)"),
            (b"\x28\xb5\x2f\xfd\x04", "compressed (zstd)"),
            (b"\x78\x9c\xab\x56", "compressed (deflate)"),
            (b"<order id=\"1\"/>", "XML"),
            (b"\xac\xed\x00\x05sr", "Java"),
            (b"\0\0\0\0\x07abc", "schema registry"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (&utf16, "UTF-16"),
            (b"\xff\xfe{\0", "UTF-16"),
            (b"{\"name\":\"M\xfcller\"}", "byte 10 (0xfc) is not UTF-8"),
            (b"{\"key\":\"a\",", "cut off at byte 11"),
            (b"{\"key\":\"\xc3", "cut off at byte 9"),
            (b"tru", "cut off at byte 3"),
            (
                b"{\n\"key\": x}",
                "expected value at byte 9 (line 2, column 8)",
            ),
            (b"order-7", "expected value at byte 0 (line 1, column 1)"),
        ] {
            let text = refusal(body);
            assert!(text.starts_with("the body is not JSON: "), "{text}");
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(refusal(b""), "the body is empty, and must be a JSON event");
    }
}
