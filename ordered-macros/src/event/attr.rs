use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, DeriveInput, Expr, Ident, LitStr, Meta, Path, Token};

use super::EXAMPLE;
use crate::attr::Setting;
use crate::errors::Errors;
use crate::field::FieldPath;
use crate::{suggest, value};

/// Every option, with an example of its use.
const OPTIONS: [(&str, &str); 9] = [
    ("key", "key = \"order_id\""),
    ("id", "id = \"event_id\""),
    ("event_type", "event_type = \"order_placed\""),
    ("aggregate_type", "aggregate_type = \"order\""),
    ("producer", "producer = \"author\""),
    ("clock", "clock = \"vector\""),
    ("seq", "seq = \"seq\""),
    ("time", "time = \"time\""),
    ("crate", "crate = \"my_crate::ordered_events\""),
];

/// What stands before the name of a field that has the type of the event.
const FIELD: &str = "field:";

/// `#[ordered(…)]` on the struct.
#[derive(Default)]
pub(super) struct Options {
    pub(super) key: Option<FieldPath>,
    pub(super) id: Option<FieldPath>,
    pub(super) event_type: Option<EventType>,
    pub(super) aggregate_type: Option<LitStr>,
    pub(super) producer: Option<FieldPath>,
    pub(super) clock: Option<FieldPath>,
    pub(super) seq: Option<FieldPath>,
    pub(super) time: Option<FieldPath>,
    pub(super) crate_path: Option<Path>,
    garbled: bool,
    given: Vec<&'static str>,
}

/// What happened.
pub(super) enum EventType {
    /// The same for all.
    Text(LitStr),
    /// A field says it.
    Field(FieldPath),
}

/// `name = value`, or what was written of it.
struct Given {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for Given {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option: {}", all())));
        }
        let name = input.call(Ident::parse_any)?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            if input.is_empty() || input.peek(Token![,]) {
                return Err(input.error(format!("expected a value, as in `{}`", example(&name))));
            }
            Some(input.parse()?)
        } else if input.is_empty() || input.peek(Token![,]) {
            None
        } else {
            return Err(input.error(format!("expected `=`, as in `{}`", example(&name))));
        };
        Ok(Self { name, value })
    }
}

impl Options {
    pub(super) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for attribute in input.attrs.iter().filter(|attr| is_ours(attr)) {
            let settings = match &attribute.meta {
                Meta::List(_) => {
                    attribute.parse_args_with(Punctuated::<Given, Token![,]>::parse_terminated)
                }
                other => Err(syn::Error::new_spanned(
                    other,
                    format!("the options stand in parentheses: `{EXAMPLE}`"),
                )),
            };
            match errors.keep(settings) {
                Some(settings) => {
                    for given in settings {
                        options.add(given, errors);
                    }
                }
                None => options.garbled = true,
            }
        }
        if !options.given.contains(&"key") && !options.garbled {
            errors.at(
                &input.ident,
                format!("the event lacks its key, the field that says what it belongs to: write `{EXAMPLE}` above it"),
            );
        }
        options
    }

    fn add(&mut self, given: Given, errors: &mut Errors) {
        let written = given.name.to_string();
        let Some((name, example)) = OPTIONS.iter().find(|(name, _)| *name == written) else {
            self.garbled = true;
            let hint = suggest::closest(&written, OPTIONS.iter().map(|(name, _)| *name))
                .map(|name| format!(", did you mean `{name}`?"))
                .unwrap_or_default();
            errors.at(
                &given.name,
                format!("unknown option `{written}`{hint}\n{}", all()),
            );
            return;
        };
        if self.given.contains(name) {
            errors.at(&given.name, format!("`{name}` is given twice"));
            return;
        }
        self.given.push(name);
        let setting = Setting {
            name: given.name,
            value: given.value,
            example,
        };
        let read = self.read(name, &setting);
        errors.keep(read);
    }

    fn read(&mut self, name: &str, setting: &Setting) -> syn::Result<()> {
        match name {
            "key" => self.key = Some(field(setting)?),
            "id" => self.id = Some(field(setting)?),
            "event_type" => self.event_type = Some(event_type(setting)?),
            "aggregate_type" => self.aggregate_type = Some(words(setting)?),
            "producer" => self.producer = Some(field(setting)?),
            "clock" => self.clock = Some(field(setting)?),
            "seq" => self.seq = Some(field(setting)?),
            "time" => self.time = Some(field(setting)?),
            "crate" => self.crate_path = Some(value::path(setting)?),
            _ => unreachable!("`{name}` is in OPTIONS, and has no place in Options"),
        }
        Ok(())
    }
}

pub(super) fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("ordered")
}

/// A field of the struct: headers come into being when the event is published.
fn field(setting: &Setting) -> syn::Result<FieldPath> {
    let path = value::field(setting)?;
    if path.is_field() {
        return Ok(path);
    }
    Err(syn::Error::new_spanned(
        &setting.value,
        format!(
            "`{}` is a field of the struct here, since the event has no headers before it is published: `{}`",
            setting.name, setting.example
        ),
    ))
}

fn event_type(setting: &Setting) -> syn::Result<EventType> {
    let text = words(setting)?;
    match text.value().strip_prefix(FIELD) {
        None => Ok(EventType::Text(text)),
        Some(name) => FieldPath::parse(&LitStr::new(name, text.span())).map(EventType::Field),
    }
}

fn words(setting: &Setting) -> syn::Result<LitStr> {
    let text = value::text(setting)?;
    if text.value().trim().is_empty() {
        return Err(syn::Error::new_spanned(
            &text,
            format!(
                "`{}` is empty: leave it out, or write `{}`",
                setting.name, setting.example
            ),
        ));
    }
    Ok(text)
}

fn all() -> String {
    format!(
        "the options are {}",
        OPTIONS.map(|(name, _)| format!("`{name}`")).join(", ")
    )
}

fn example(name: &Ident) -> &'static str {
    OPTIONS
        .iter()
        .find(|(option, _)| name == option)
        .map_or(OPTIONS[0].1, |(_, example)| example)
}
