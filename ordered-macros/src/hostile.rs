//! Whatever stands in the attribute or below it: an expansion or a message, never a panic.

use hostile_input::{check, mutated_text, text};
use proc_macro2::TokenStream;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quote::quote;

use crate::{attribute, duration};

const NAMES: [&str; 31] = [
    "key",
    "seq",
    "id",
    "envelope",
    "group",
    "on",
    "event_type",
    "timeout",
    "backoff",
    "max_backoff",
    "give_up_after",
    "max_attempts",
    "max_crashes",
    "on_stale",
    "on_repeat",
    "dedup_ttl",
    "max_held",
    "lane_depth",
    "batch",
    "commit_window",
    "first_seq",
    "start",
    "settle",
    "crate",
    "r#key",
    "r#type",
    "_",
    "self",
    "async",
    "größe",
    "kee",
];

const VALUES: [&str; 44] = [
    "\"order_id\"",
    "\"seq\"",
    "\"order.id\"",
    "\"0.1\"",
    "\"header:x\"",
    "\"/order/id\"",
    "\"/\"",
    "\"/~\"",
    "\"/größe~\"",
    "\"cloudevents\"",
    "\"sns\"",
    "[]",
    "[\"tenant\"]",
    "[\"tenant\", \"order_id\"]",
    "[\"tenant\", 5]",
    "\"header:\"",
    "\"r#self\"",
    "\"_\"",
    "\"99999999999\"",
    "\"\"",
    "\"30s\"",
    "\"0s\"",
    "\"3650d\"",
    "\"1m30s\"",
    "\"18446744073709551616d\"",
    "\"a::b\"",
    "\"::a<b>\"",
    "5",
    "0",
    "-1",
    "1.5",
    "1_000u8",
    "0xff_ffff_ffff_ffff_ffff",
    "5s",
    "'a'",
    "b\"x\"",
    "c\"x\"",
    "r#\"x\"#",
    "true",
    "order.id",
    "a::b",
    "(1, 2)",
    "{ let x = 1; x }",
    "|x| x",
];

const ITEMS: [&str; 17] = [
    "async fn apply(event: OrderEvent) {}",
    "/// Docs.\n#[cfg(test)] #[allow(dead_code)] pub(crate) async fn apply(event: OrderEvent, State(db): State<Db>, c: \
     Context) -> Result<(), HandlerError> { db.go(event, c).await?; Ok(()) }",
    "async fn apply(OrderEvent { a, .. }: OrderEvent, mut x: State<[u8; 4]>) -> Result<(), Box<dyn Error>> { loop {} }",
    "async fn apply(events: Vec<OrderEvent>, c: Context) -> Result<(), HandlerError> { Ok(()) }",
    "fn apply(event: OrderEvent) {}",
    "const unsafe extern \"C\" fn apply(event: &'static str) {}",
    "async fn apply<'a, T: Into<X>>(event: Cow<'a, T>) where T: Clone {}",
    "async fn apply(self: Arc<Self>, #[cfg(x)] e: impl Fn(&u8) -> u8) -> impl Sized {}",
    "async fn apply(&mut self) {}",
    "async fn r#type(event: E, ...) {}",
    "async fn apply() -> ! { panic!() }",
    "async fn apply(event: E);",
    "struct S { a: u8 }",
    "impl S { async fn apply(&self) {} }",
    "mod m { }",
    "macro_rules! m { () => {} }",
    "",
];

fn assert_answers(options: &str, item: &str) {
    // What is no Rust at all does not reach a macro.
    let (Ok(options), Ok(item)) = (options.parse::<TokenStream>(), item.parse::<TokenStream>())
    else {
        return;
    };
    let made = attribute(options, item);
    let is_message = made.to_string().contains("compile_error");
    assert!(
        is_message || syn::parse2::<syn::File>(made.clone()).is_ok(),
        "neither a message nor items: {made}"
    );
}

#[test]
fn any_list_of_options_is_answered() {
    let setting = (
        select(&NAMES[..]),
        select(&["=", "=", "=", "=", "", "==", "(", ":", "= ="][..]),
        prop_oneof![
            4 => select(&VALUES[..]).prop_map(str::to_owned),
            1 => text().prop_map(|text| format!("{text:?}")),
        ],
        select(&[",", ",", ",", ",", "", ";", ",,"][..]),
    );
    let setting = setting.prop_map(|(name, equals, value, end)| {
        let close = if equals == "(" { ")" } else { "" };
        format!("{name} {equals} {value}{close}{end} ")
    });
    let options = vec(setting, 0..6).prop_map(|settings| settings.concat());
    check(1_000, (options, select(&ITEMS[..])), |(options, item)| {
        assert_answers(&options, item);
    });
}

#[test]
fn any_text_for_the_fields_is_answered() {
    let item = quote!(
        async fn apply(event: OrderEvent) {}
    )
    .to_string();
    check(1_000, (text(), text()), |(key, seq)| {
        assert_answers(&format!("key = {key:?}, seq = {seq:?}"), &item);
    });
}

#[test]
fn mutilated_attributes_and_items_are_answered() {
    let options = r#"key = "order.id", seq = "seq", id = "event_id", group = "g", timeout = "30s", backoff = "1s",
        max_backoff = "10s", max_attempts = 5, dedup_ttl = "24h", max_held = 10, lane_depth = 2, first_seq = 1,
        batch = 2,
        commit_window = 1"#;
    let both = (mutated_text(&[options]), mutated_text(&ITEMS));
    check(500, both, |(options, item)| {
        assert_answers(&options, &item);
    });
}

#[test]
fn any_text_is_a_duration_or_refused_in_words() {
    let texts = prop_oneof![
        text(),
        mutated_text(&["1d2h3m4s5ms", "30s", "3650d"]),
        "[0-9]{1,25}(d|h|m|s|ms)([0-9]{1,25}(m|s|ms))?",
    ];
    check(1_000, texts, |text| {
        if let Err(words) = duration::parse(&text) {
            assert!(!words.is_empty());
        }
    });
}
