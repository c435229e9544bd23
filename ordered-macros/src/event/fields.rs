use syn::spanned::Spanned;
use syn::{Field, Fields, GenericArgument, Index, LitStr, Member, PathArguments, Type};

use super::attr::is_ours;
use crate::errors::Errors;

/// The fields that go into headers besides being in the body.
#[derive(Default)]
pub(super) struct Headers(pub(super) Vec<Header>);

pub(super) struct Header {
    pub(super) name: LitStr,
    pub(super) field: Member,
    /// An `Option`: nothing is written where it is none.
    pub(super) optional: bool,
}

impl Headers {
    pub(super) fn of(fields: &Fields, errors: &mut Errors) -> Self {
        let mut headers = Self::default();
        for (number, field) in (0..).zip(fields) {
            for attribute in field.attrs.iter().filter(|attr| is_ours(attr)) {
                let mut name = None;
                let read = attribute.parse_nested_meta(|meta| {
                    if !meta.path.is_ident("header") {
                        return Err(meta.error(
                            "a field has the option `header`: `#[ordered(header = \"x-tenant\")]`; the others stand \
                             above the struct",
                        ));
                    }
                    let text: LitStr = meta.value()?.parse()?;
                    check(&text)?;
                    name = Some(text);
                    Ok(())
                });
                errors.keep(read);
                let Some(name) = name else { continue };
                if headers
                    .0
                    .iter()
                    .any(|header| header.name.value() == name.value())
                {
                    errors.at(
                        &name,
                        format!("the header `{}` is given twice", name.value()),
                    );
                    continue;
                }
                headers.0.push(Header {
                    name,
                    field: member(field, number),
                    optional: is_option(&field.ty),
                });
            }
        }
        headers
    }
}

fn check(name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    if text.is_empty() || text.trim() != text {
        return Err(syn::Error::new_spanned(
            name,
            "a header needs a name, such as \"x-tenant\"",
        ));
    }
    if text.starts_with("x-ordered-") || text == "traceparent" {
        return Err(syn::Error::new_spanned(
            name,
            format!("`{text}` is a header of `ordered` itself: choose another name"),
        ));
    }
    Ok(())
}

fn member(field: &Field, index: u32) -> Member {
    match &field.ident {
        Some(name) => Member::Named(name.clone()),
        None => Member::Unnamed(Index {
            index,
            span: field.ty.span(),
        }),
    }
}

fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else {
        return false;
    };
    last.ident == "Option"
        && matches!(&last.arguments, PathArguments::AngleBracketed(of)
            if matches!(of.args.first(), Some(GenericArgument::Type(_))))
}
