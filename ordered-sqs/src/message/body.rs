use aws_smithy_types::base64;
use bytes::Bytes;

use super::is_allowed;
use crate::names;

/// The text for a body, and what is to be said about it.
pub(super) fn write(body: &Bytes) -> (String, Option<&'static str>) {
    if body.is_empty() {
        return ("-".to_owned(), Some(names::EMPTY));
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_allowed(text) => (text.to_owned(), None),
        _ => (base64::encode(body), Some(names::BASE64)),
    }
}

/// The inverse of [`write`]. A text that is not what it is said to be is the body as it is.
pub(super) fn read(text: String, encoding: Option<&str>) -> Bytes {
    match encoding {
        Some(names::EMPTY) => Bytes::new(),
        Some(names::BASE64) => base64::decode(&text).map_or_else(|_| text.into(), Bytes::from),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_comes_back_as_text_that_sqs_takes() {
        let all: Vec<u8> = (0..=255).collect();
        let bodies: [&[u8]; 6] = [
            b"{}",
            b"",
            "ü\u{10FFFF}".as_bytes(),
            b"a\0b",
            "\u{FFFE}".as_bytes(),
            &all,
        ];
        for body in bodies {
            let body = Bytes::copy_from_slice(body);
            let (text, encoding) = write(&body);
            assert!(!text.is_empty() && is_allowed(&text), "{text:?}");
            assert_eq!(read(text, encoding), body);
        }
        assert_eq!(write(&Bytes::from_static(b"{}")), ("{}".into(), None));
    }

    #[test]
    fn what_is_not_base64_is_left_as_it_is() {
        assert_eq!(read("*".into(), Some(names::BASE64)), "*");
    }
}
