use proptest::prelude::*;
use proptest::sample::select;

// The suite for stores has them, too, and is published.
#[path = "../../../ordered-testkit/src/texts.rs"]
mod texts;

/// Texts that a careless join of names, a pattern, a line or a C string would mix up.
pub const TEXTS: [&str; 40] = texts::TEXTS;

/// Any text, with a liking for those that break things: separators, controls, what looks empty, very long ones.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&TEXTS[..]).prop_map(str::to_owned),
        4 => any::<String>(),
        3 => prop::collection::vec(select(&TEXTS[..]), 0..8).prop_map(|parts| parts.concat()),
        2 => "[a-z.:_-]{0,20}",
        1 => Just(String::new()),
        1 => (500_usize..540, select(&TEXTS[..]))
            .prop_map(|(length, part)| part.repeat(length / part.len())),
        1 => (1_usize..4).prop_map(|times| "0123456789".repeat(times * 1_000)),
    ]
}
