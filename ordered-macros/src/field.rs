use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Ident, Index, LitStr, Member};

/// A path to a field of the event, such as `order.id` or `0.seq`.
pub(crate) struct FieldPath {
    members: Vec<Member>,
    literal: LitStr,
}

impl FieldPath {
    /// Reads the path. All its parts have the span of the literal, so that what rustc has to say about the fields
    /// points there; with any other hygiene it would not list the fields there are.
    pub(crate) fn parse(literal: &LitStr) -> syn::Result<Self> {
        let text = literal.value();
        let members: Option<Vec<Member>> = text
            .split('.')
            .map(|part| member(part, literal.span()))
            .collect();
        match members {
            Some(members) => Ok(Self {
                members,
                literal: literal.clone(),
            }),
            None => Err(syn::Error::new_spanned(
                literal,
                format!(
                    "`{text}` is not a path to a field: write the field's name in Rust, and dots to go deeper: \"order_id\", \"order.id\", \"0.id\""
                ),
            )),
        }
    }

    /// The field of this value.
    pub(crate) fn of(&self, value: &str) -> TokenStream {
        let value = Ident::new(value, Span::mixed_site().located_at(self.literal.span()));
        let members = &self.members;
        quote!(#value #(.#members)*)
    }

    pub(crate) fn span(&self) -> Span {
        self.literal.span()
    }
}

impl PartialEq for FieldPath {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl ToTokens for FieldPath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.literal.to_tokens(tokens);
    }
}

fn member(part: &str, span: Span) -> Option<Member> {
    if part.starts_with(|c: char| c.is_ascii_digit()) {
        let index = part.parse().ok()?;
        let plain = part == "0" || !part.starts_with('0');
        return plain.then_some(Member::Unnamed(Index { index, span }));
    }
    let name = part.strip_prefix("r#").unwrap_or(part);
    let mut ident = parse_ident(name)?;
    // `type` and its like are field names only in their raw form; these four have none.
    if syn::parse_str::<Ident>(name).is_err() {
        if ["self", "super", "crate", "Self", "_"].contains(&name) {
            return None;
        }
        ident = Ident::new_raw(name, span);
    }
    ident.set_span(span);
    Some(Member::Named(ident))
}

fn parse_ident(name: &str) -> Option<Ident> {
    let printed = |ident: Ident| (ident == name).then_some(ident);
    syn::parse::Parser::parse_str(Ident::parse_any, name)
        .ok()
        .and_then(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        FieldPath::parse(&LitStr::new(text, Span::call_site()))
            .map(|path| path.of("event").to_string().replace(' ', ""))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn paths_are_names_and_indices() {
        for (text, field) in [
            ("order_id", "event.order_id"),
            ("order.id", "event.order.id"),
            ("0", "event.0"),
            ("0.1.id", "event.0.1.id"),
            ("type", "event.r#type"),
            ("r#type", "event.r#type"),
            ("r#order", "event.order"),
            ("async.await", "event.r#async.r#await"),
            ("_id", "event._id"),
            ("größe", "event.größe"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(field), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ".",
            "order.",
            ".order",
            "order..id",
            "order id",
            " id",
            "id ",
            "id()",
            "items[0]",
            "01",
            "0x1",
            "1a",
            "-1",
            "99999999999",
            "order-id",
            "self",
            "self.id",
            "_",
            "crate",
            "r#",
            "r#self",
            "a/*x*/",
            "$.id",
            "order::id",
            "\"id\"",
            "'a",
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                error.starts_with(&format!("`{text}` is not a path to a field: ")),
                "{text}: {error}"
            );
        }
    }
}
