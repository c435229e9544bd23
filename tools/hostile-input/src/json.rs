use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::text;

/// Numbers at the edges of what the readers of JSON hold, and beyond.
const NUMBERS: [&str; 17] = [
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1.5",
    "1e0",
    "1e400",
    "-1e-400",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "00",
];

/// Objects of JSON, and what nearly is: these fields with every kind of value, some of them twice, some left out, in
/// any order, with nesting, numbers no type holds, and escapes that are no text.
pub fn json(fields: &'static [&'static str]) -> impl Strategy<Value = Bytes> {
    let field = (select(fields), value()).prop_map(|(name, value)| format!("{name:?}:{value}"));
    vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(",")).into())
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => select(&NUMBERS[..]).prop_map(str::to_owned),
        4 => text().prop_map(|text| quoted(&text)),
        2 => select(&["null", "true", "false", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u0000\""][..])
            .prop_map(str::to_owned),
        1 => (1_usize..1_000).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1_usize..1_000).prop_map(|depth| "{\"a\":".repeat(depth)),
        1 => (1_usize..500).prop_map(|digits| "9".repeat(digits)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            (text(), inner).prop_map(|(name, value)| format!("{{{}:{value}}}", quoted(&name))),
        ]
    })
}

/// As JSON writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
