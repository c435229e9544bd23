use std::ops::RangeInclusive;
use std::time::Duration;

use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, LitStr, Path, TypePath};

use crate::attr::Setting;
use crate::duration;
use crate::field::FieldPath;

pub(crate) fn text(setting: &Setting) -> syn::Result<LitStr> {
    match literal(setting)? {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => wrong(setting, "takes text in quotes"),
    }
}

pub(crate) fn field(setting: &Setting) -> syn::Result<FieldPath> {
    match literal(setting)? {
        Some(Lit::Str(text)) => FieldPath::parse(text),
        None if matches!(setting.value, Some(Expr::Path(_) | Expr::Field(_))) => {
            let path = setting.value.to_token_stream().to_string();
            let (name, path) = (&setting.name, path.replace(' ', ""));
            Err(syn::Error::new_spanned(
                &setting.value,
                format!("`{name}` takes the name of a field, in quotes: `{name} = \"{path}\"`"),
            ))
        }
        _ => wrong(setting, "takes the name of a field, in quotes"),
    }
}

/// One text or several in brackets, none of them empty, each once.
pub(crate) fn texts(setting: &Setting) -> syn::Result<Vec<LitStr>> {
    let mut given = setting.value.as_ref();
    while let Some(Expr::Group(group)) = given {
        given = Some(&group.expr);
    }
    let elements = match given {
        Some(Expr::Array(array)) if array.elems.is_empty() => {
            return wrong(setting, "takes at least one text");
        }
        Some(Expr::Array(array)) => {
            let texts = array.elems.iter().map(|element| match text_of(element) {
                Some(text) => Ok(text.clone()),
                None => Err(syn::Error::new_spanned(
                    element,
                    format!("each of `{}` is text in quotes", setting.name),
                )),
            });
            texts.collect::<syn::Result<Vec<_>>>()?
        }
        _ => vec![text(setting)?],
    };
    let mut texts: Vec<LitStr> = Vec::new();
    for element in elements {
        if element.value().trim().is_empty() {
            let (name, example) = (&setting.name, setting.example);
            let message = format!("a text of `{name}` is empty: `{example}`");
            return Err(syn::Error::new_spanned(element, message));
        }
        if texts.iter().any(|known| known.value() == element.value()) {
            let message = format!("this text of `{}` is given twice", setting.name);
            return Err(syn::Error::new_spanned(element, message));
        }
        texts.push(element);
    }
    Ok(texts)
}

/// A place that can be looked into before the event is read as its type.
pub(crate) fn outside(setting: &Setting) -> syn::Result<FieldPath> {
    let path = field(setting)?;
    if path.is_field() {
        let pointer = path.text().replace('.', "/");
        return Err(syn::Error::new_spanned(
            &path,
            format!(
                "`{name}` is looked at before the event is read as a Rust type, so it cannot be a field of one: write \
                 its place in the JSON, `{name} = \"/{pointer}\"`, or a header, `{name} = \"header:x-event-type\"`",
                name = setting.name
            ),
        ));
    }
    Ok(path)
}

pub(crate) fn duration(setting: &Setting) -> syn::Result<Duration> {
    match literal(setting)? {
        Some(Lit::Str(text)) => {
            duration::parse(&text.value()).map_err(|why| syn::Error::new_spanned(text, why))
        }
        _ => wrong(setting, "takes a duration, in quotes and with its unit"),
    }
}

/// A duration, or `None` for `"never"`.
pub(crate) fn duration_or_never(setting: &Setting) -> syn::Result<Option<Duration>> {
    match literal(setting)? {
        Some(Lit::Str(text)) if text.value() == "never" => Ok(None),
        Some(Lit::Str(_)) => duration(setting).map(Some),
        _ => wrong(
            setting,
            "takes a duration, in quotes and with its unit, or `\"never\"`",
        ),
    }
}

pub(crate) fn integer(setting: &Setting, range: RangeInclusive<u64>) -> syn::Result<u64> {
    let number = match literal(setting)? {
        Some(Lit::Int(number)) => number.base10_parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if range.contains(&number) => Ok(number),
        _ => {
            let (least, most) = (range.start(), range.end());
            wrong(
                setting,
                &format!("takes a whole number from {least} to {most}"),
            )
        }
    }
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(setting: &Setting, of: &[(&str, T)]) -> syn::Result<T> {
    let given = match literal(setting)? {
        Some(Lit::Str(text)) => text.value(),
        _ => String::new(),
    };
    match of.iter().find(|(word, _)| *word == given) {
        Some((_, choice)) => Ok(*choice),
        None => {
            let words: Vec<_> = of.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            wrong(setting, &format!("takes {}", words.join(" or ")))
        }
    }
}

/// Whether the value is this text.
pub(crate) fn is_text(setting: &Setting, text: &str) -> bool {
    matches!(literal(setting), Ok(Some(Lit::Str(given))) if given.value() == text)
}

/// `true` or `false`.
pub(crate) fn yes_or_no(setting: &Setting) -> syn::Result<bool> {
    match literal(setting)? {
        Some(Lit::Bool(given)) => Ok(given.value),
        _ => wrong(setting, "takes true or false"),
    }
}

pub(crate) fn path(setting: &Setting) -> syn::Result<Path> {
    match literal(setting)? {
        Some(Lit::Str(text)) => text
            .parse_with(Path::parse_mod_style)
            .or_else(|_| wrong(setting, "takes the path of a module, in quotes")),
        _ => wrong(setting, "takes the path of a module, in quotes"),
    }
}

/// The path of a type, with its parameters.
pub(crate) fn type_path(setting: &Setting) -> syn::Result<TypePath> {
    match literal(setting)? {
        Some(Lit::Str(text)) => text
            .parse()
            .or_else(|_| wrong(setting, "takes the path of a type, in quotes")),
        _ => wrong(setting, "takes the path of a type, in quotes"),
    }
}

/// The literal that stands as the value, if it is one. Values that come through a `macro_rules` macro are wrapped in
/// invisible groups.
fn literal(setting: &Setting) -> syn::Result<Option<&Lit>> {
    let Some(mut value) = setting.value.as_ref() else {
        return Err(syn::Error::new_spanned(
            &setting.name,
            format!(
                "`{}` needs a value: write `{}`",
                setting.name, setting.example
            ),
        ));
    };
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Ok(Some(lit)),
        _ => Ok(None),
    }
}

fn text_of(mut value: &Expr) -> Option<&LitStr> {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text),
        _ => None,
    }
}

fn wrong<T>(setting: &Setting, takes: &str) -> syn::Result<T> {
    Err(syn::Error::new_spanned(
        &setting.value,
        format!("`{}` {takes}: `{}`", setting.name, setting.example),
    ))
}
