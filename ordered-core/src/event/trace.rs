use std::collections::BTreeMap;
use std::fmt;

/// The span of the producer, as the event's headers name it by the W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceParent {
    /// The header that names the producer's span.
    pub const HEADER: &str = "traceparent";
    /// The header with what tracing systems add; it means nothing without the other one.
    pub const STATE: &str = "tracestate";

    /// What the headers say; `None` when they say nothing, or nothing that is valid.
    #[must_use]
    pub fn of(headers: &BTreeMap<String, String>) -> Option<Self> {
        headers
            .get(Self::HEADER)
            .and_then(|value| Self::parse(value))
    }

    /// Reads `00-<trace id>-<span id>-<flags>`, and of a later version the part that is the same.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let version = hex(value, 0, 2)?;
        let known_length = version == 0 && value.len() == 55;
        let longer = version != 0 && value.get(55..).is_some_and(is_end_of_part);
        if version == 0xff || !(known_length || longer) {
            return None;
        }
        let trace_id = hex(value, 3, 35)?;
        let span_id = u64::try_from(hex(value, 36, 52)?).ok()?;
        let flags = u8::try_from(hex(value, 53, 55)?).ok()?;
        let separated = [2, 35, 52].iter().all(|at| value.as_bytes()[*at] == b'-');
        (separated && trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            span_id,
            flags,
        })
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The producer's span in it.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The flags; bit 0 says that the producer has recorded its span.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }
}

/// As a header says it, in version 00.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            span_id,
            flags,
        } = self;
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
    }
}

fn is_end_of_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('-')
}

/// Lower-case digits only, as the standard wants them.
fn hex(text: &str, from: usize, to: usize) -> Option<u128> {
    let digits = text.get(from..to)?;
    let valid = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !digits.bytes().all(valid) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_header_is_read_and_written_again() {
        let parent = TraceParent::parse(VALID).unwrap();
        assert_eq!(parent.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(parent.span_id(), 0x00f0_67aa_0ba9_02b7);
        assert_eq!(parent.flags(), 1);
        assert_eq!(parent.to_string(), VALID);
    }

    #[test]
    fn a_later_version_may_say_more_behind_a_dash() {
        let later = |rest: &str| VALID.replacen("00", "cc", 1) + rest;
        assert!(TraceParent::parse(&later("")).is_some());
        assert!(TraceParent::parse(&later("-what-comes")).is_some());
        assert!(TraceParent::parse(&later(".what-comes")).is_none());
    }

    #[test]
    fn what_is_not_valid_names_no_span() {
        for wrong in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e473-+00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_header_says_is_a_panic(text in "\\PC{0,70}") {
            let _ = TraceParent::parse(&text);
        }
    }
}
