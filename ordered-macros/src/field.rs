use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Ident, Index, LitStr, Member};

/// Where the key, the seq or the id of an event is: a field, such as `order.id` or `0.seq`; a place in its JSON, such
/// as `/order/id`; or `header:` and the name of a header that the broker delivers beside the body.
pub(crate) struct FieldPath {
    place: Place,
    literal: LitStr,
}

#[derive(PartialEq)]
enum Place {
    Field(Vec<Member>),
    Json(String),
    Header(String),
}

const HEADER: &str = "header:";

impl FieldPath {
    /// Reads the path. All its parts have the span of the literal, so that what rustc has to say about the fields
    /// points there; with any other hygiene it would not list the fields there are.
    pub(crate) fn parse(literal: &LitStr) -> syn::Result<Self> {
        let text = literal.value();
        if let Some(name) = text.strip_prefix(HEADER) {
            return Self::header(literal, name);
        }
        if text.starts_with('/') {
            return Self::json(literal, text);
        }
        let members: Option<Vec<Member>> = text
            .split('.')
            .map(|part| member(part, literal.span()))
            .collect();
        match members {
            Some(members) => Ok(Self {
                place: Place::Field(members),
                literal: literal.clone(),
            }),
            None => Err(syn::Error::new_spanned(
                literal,
                format!(
                    "`{text}` is not a path to a field: write the field's name in Rust, and dots to go deeper: \
                     \"order_id\", \"order.id\", \"0.id\""
                ),
            )),
        }
    }

    fn header(literal: &LitStr, name: &str) -> syn::Result<Self> {
        if name.trim() != name || name.is_empty() {
            return Err(syn::Error::new_spanned(
                literal,
                "after `header:` comes the name of a header, such as \"header:sqs.message_group_id\"",
            ));
        }
        Ok(Self {
            place: Place::Header(name.to_owned()),
            literal: literal.clone(),
        })
    }

    fn json(literal: &LitStr, pointer: String) -> syn::Result<Self> {
        let named = pointer[1..].split('/').all(|part| !part.is_empty());
        let escaped = pointer.split('~').skip(1);
        if !named || !escaped.into_iter().all(|rest| rest.starts_with(['0', '1'])) {
            return Err(syn::Error::new_spanned(
                literal,
                format!(
                    "`{pointer}` is not a place in the JSON of an event: it is a JSON Pointer, such as \"/order_id\" \
                     or \"/order/id\", with `~1` for a `/` in a name and `~0` for a `~`"
                ),
            ));
        }
        Ok(Self {
            place: Place::Json(pointer),
            literal: literal.clone(),
        })
    }

    /// Whether it is in the event, and not beside it.
    pub(crate) fn is_field(&self) -> bool {
        matches!(self.place, Place::Field(_))
    }

    /// The field of the event itself that it is, and not one of a field.
    pub(crate) fn member(&self) -> Option<&Member> {
        match &self.place {
            Place::Field(members) => members.first().filter(|_| members.len() == 1),
            Place::Json(_) | Place::Header(_) => None,
        }
    }

    /// Whether it is a place in the JSON, whatever type the event has.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.place, Place::Json(_))
    }

    /// What is there, in this event or in the headers of this envelope.
    pub(crate) fn of(
        &self,
        event: &str,
        envelope: &TokenStream,
        private: &TokenStream,
    ) -> TokenStream {
        match &self.place {
            Place::Field(members) => {
                let event = Ident::new(event, Span::mixed_site().located_at(self.literal.span()));
                quote!(#event #(.#members)*)
            }
            Place::Json(pointer) => quote!(__fields.at(#pointer)?),
            Place::Header(name) => quote!(#private::header(#envelope, #name)?),
        }
    }

    /// What is there in the JSON or in the headers, for an event that cannot be read as its type. A field is looked for
    /// under its name in Rust.
    pub(crate) fn of_unreadable(
        &self,
        envelope: &TokenStream,
        private: &TokenStream,
    ) -> TokenStream {
        match &self.place {
            Place::Field(members) => {
                let pointer = pointer(members);
                quote!(__fields.at(#pointer)?)
            }
            Place::Json(pointer) => quote!(__fields.at(#pointer)?),
            Place::Header(name) => quote!(#private::header(#envelope, #name)?),
        }
    }

    /// The vector clock that is there.
    pub(crate) fn clock(
        &self,
        event: &str,
        envelope: &TokenStream,
        private: &TokenStream,
    ) -> TokenStream {
        if let Place::Json(pointer) = &self.place {
            return quote!(__fields.clock(#pointer)?);
        }
        let value = self.of(event, envelope, private);
        quote!(#private::ClockValue::to_clock(&#value)?)
    }

    /// The same, for an event that cannot be read as its type.
    pub(crate) fn clock_of_unreadable(
        &self,
        envelope: &TokenStream,
        private: &TokenStream,
    ) -> TokenStream {
        match &self.place {
            Place::Field(members) => {
                let pointer = pointer(members);
                quote!(__fields.clock(#pointer)?)
            }
            Place::Json(pointer) => quote!(__fields.clock(#pointer)?),
            Place::Header(_) => {
                let value = self.of_unreadable(envelope, private);
                quote!(#private::ClockValue::to_clock(&#value)?)
            }
        }
    }

    /// The place as the group records it.
    pub(crate) fn recorded(&self, private: &TokenStream) -> TokenStream {
        let (kind, text) = match &self.place {
            Place::Field(members) => (quote!(Field), pointer(members)),
            Place::Json(pointer) => (quote!(Json), pointer.clone()),
            Place::Header(name) => (quote!(Header), name.clone()),
        };
        quote!(#private::EventPlace::#kind(#private::text(#text)))
    }

    /// As it is written.
    pub(crate) fn text(&self) -> String {
        self.literal.value()
    }

    pub(crate) fn span(&self) -> Span {
        self.literal.span()
    }

    /// What the thing is called that the field names: `order` for `order_id`, `order.id` and `order`.
    pub(crate) fn last_name(&self) -> Option<String> {
        let Place::Field(members) = &self.place else {
            return None;
        };
        let mut names = members.iter().rev().map(|member| match member {
            Member::Named(name) => Some(name.unraw().to_string()),
            Member::Unnamed(_) => None,
        });
        let last = names.next()??;
        match last.strip_suffix("_id") {
            Some(name) if !name.is_empty() => Some(name.to_owned()),
            _ if last == "id" => names.next()?,
            _ => Some(last),
        }
    }
}

impl PartialEq for FieldPath {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl ToTokens for FieldPath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.literal.to_tokens(tokens);
    }
}

/// Where a field is in the JSON, if serde does not rename it.
fn pointer(members: &[Member]) -> String {
    let names = members.iter().map(|member| match member {
        Member::Named(name) => format!("/{}", name.unraw()),
        Member::Unnamed(index) => format!("/{}", index.index),
    });
    names.collect()
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
            .map(|path| path.of("event", &quote!(envelope), &quote!(x)))
            .map(|tokens| tokens.to_string().replace(' ', ""))
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
            ("header:x-order", "x::header(envelope,\"x-order\")?"),
            ("/order/id", "__fields.at(\"/order/id\")?"),
            ("/a~1b/~0", "__fields.at(\"/a~1b/~0\")?"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(field), "{text}");
        }
    }

    #[test]
    fn the_name_of_a_field_says_what_it_names() {
        for (text, name) in [
            ("order_id", Some("order")),
            ("order.id", Some("order")),
            ("order.customer_id", Some("customer")),
            ("account", Some("account")),
            ("r#type", Some("type")),
            ("id", None),
            ("_id", Some("_id")),
            ("0", None),
            ("0.id", None),
        ] {
            let path = FieldPath::parse(&LitStr::new(text, Span::call_site())).unwrap();
            assert_eq!(path.last_name().as_deref(), name, "{text}");
        }
    }

    #[test]
    fn a_header_has_a_name() {
        for text in ["header:", "header: order", "header:order "] {
            let error = parse(text).unwrap_err();
            assert!(
                error.starts_with("after `header:` comes the name"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_place_in_the_json_has_names() {
        for text in ["/", "/a/", "//a", "/a~", "/a~2", "/~/x"] {
            let error = parse(text).unwrap_err();
            assert!(
                error.starts_with(&format!("`{text}` is not a place in the JSON")),
                "{text}: {error}"
            );
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
