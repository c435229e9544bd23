//! `#[derive(OrderedEvent)]`: a struct becomes an event that can be published, or staged in an outbox.

mod attr;
mod expand;
mod fields;
mod stamp;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use self::attr::Options;
use self::fields::Headers;
use self::stamp::Stamp;
use crate::errors::Errors;

const EXAMPLE: &str = "#[ordered(key = \"order_id\")]";

/// The implementation, or the messages.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let Data::Struct(data) = &input.data else {
        let what = if matches!(input.data, Data::Enum(_)) {
            "an enum has no field that all events have"
        } else {
            "a union has none"
        };
        errors.at(
            &input.ident,
            format!(
                "`#[derive(OrderedEvent)]` goes on a struct with a field for the key, and {what}: put what the events \
                 have in common into a struct around it"
            ),
        );
        let fallback = expand::fallback(&input, &Options::default());
        return quote!(#errors #fallback);
    };
    let options = Options::of(&input, &mut errors);
    let headers = Headers::of(&data.fields, &mut errors);
    let stamp = Stamp::of(&options, &data.fields, &mut errors);
    let Some(key) = options.key.as_ref().filter(|_| errors.is_empty()) else {
        let fallback = expand::fallback(&input, &options);
        return quote!(#errors #fallback);
    };
    expand::implementation(&input, &options, key, &headers, stamp.as_ref())
}

#[cfg(test)]
mod tests {
    use hostile_input::{check, mutated_text};

    use super::*;

    const ITEMS: [&str; 11] = [
        r#"#[ordered(key = "order_id")] struct Placed { order_id: String }"#,
        r#"#[ordered(key = "0", aggregate_type = "a")] struct Placed(u64, #[ordered(header = "x")] Option<u8>);"#,
        r#"#[ordered(key = "a.b", event_type = "field:kind", id = "id")] pub struct P<T: Clone> where T: Copy { a: T }"#,
        r#"#[ordered(key = "header:x")] #[ordered(kee = 1)] struct Placed { order_id: String }"#,
        r#"#[ordered] #[ordered()] #[ordered = "x"] struct Placed { #[ordered(key = "b")] order_id: String }"#,
        r#"#[ordered(key = "k", producer = "a", clock = "c")] struct Said { k: u8, a: String, c: VectorClock }"#,
        r#"#[ordered(key = "k", producer = "a.b", seq = "0", time = "t")] struct Booked<T> { k: u8, a: T, t: u64 }"#,
        r#"#[ordered(key = "0", time = "1", clock = "1")] #[ordered(seq = "2")] struct Timed(u8, HybridTime);"#,
        "enum Placed { A { b: u8 } }",
        "union Placed { a: u8 }",
        "struct Placed;",
    ];

    #[test]
    fn whatever_it_stands_on_is_answered() {
        check(1_000, mutated_text(&ITEMS), |item| {
            // What is no Rust at all does not reach a macro.
            let Ok(item) = item.parse::<TokenStream>() else {
                return;
            };
            let made = derive(item);
            let is_message = made.to_string().contains("compile_error");
            assert!(
                is_message || syn::parse2::<syn::File>(made.clone()).is_ok(),
                "neither a message nor items: {made}"
            );
        });
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let item = quote! {
            #[ordered(kee = "a", seq = "a", id = 5, event_type = "")]
            struct Placed { #[ordered(header = "")] a: String, #[ordered(head = "x")] b: String }
        };
        let text = derive(item).to_string();
        assert_eq!(text.matches("compile_error").count(), 6, "{text}");
    }
}
