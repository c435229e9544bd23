use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, PatType, PathArguments, Signature, Type};

use crate::attr::Options;
use crate::errors::Errors;
use crate::field::FieldPath;
use crate::model::elements;

pub(super) fn arguments(sig: &Signature, options: &Options, errors: &mut Errors) -> bool {
    let mut sound = true;
    if sig.inputs.is_empty() {
        errors.at(
            sig,
            format!(
                "a handler takes the event as its first argument: `async fn {}(event: OrderEvent)`",
                sig.ident
            ),
        );
        return false;
    }
    for (place, argument) in sig.inputs.iter().enumerate() {
        let found = match argument {
            FnArg::Receiver(_) => Err(syn::Error::new_spanned(
                argument,
                "a handler is a free function: move it out of the impl, and take what it needs of `self` as `State<T>`",
            )),
            FnArg::Typed(typed) if place == 0 => event(typed, sig, options),
            FnArg::Typed(typed) => extracted(typed),
        };
        sound &= errors.keep(found).is_some();
    }
    sound
}

fn event(argument: &PatType, sig: &Signature, options: &Options) -> syn::Result<()> {
    let ty = &*argument.ty;
    plain(argument)?;
    if sig.inputs.len() > 1 && is_state(ty) {
        return Err(syn::Error::new_spanned(
            ty,
            "the event comes first, and what is taken from the worker after it: `(event: OrderEvent, State(db): \
             State<Db>)`",
        ));
    }
    several(ty, options)?;
    if let Type::Reference(reference) = ty {
        let owned = owned(&reference.elem);
        return Err(syn::Error::new_spanned(
            ty,
            format!("a handler takes the event by value{owned}"),
        ));
    }
    if borrows(ty.to_token_stream()) {
        return Err(syn::Error::new_spanned(
            ty,
            "an event owns its data, since it outlives the message it came in: use `String` for `&str` and `Cow<'_, \
             str>`, and leave the lifetime out",
        ));
    }
    Ok(())
}

/// Several events are a `Vec` with `batch`, and without it there is one.
fn several(ty: &Type, options: &Options) -> syn::Result<()> {
    if options.is_batch() && elements(ty).is_none() {
        let one = one_of(ty).to_token_stream().to_string().replace(' ', "");
        return Err(syn::Error::new_spanned(
            ty,
            format!(
                "with `batch` a handler takes its events together, in a `Vec`: write `Vec<{one}>`"
            ),
        ));
    }
    let has_field = options.places().any(FieldPath::is_field);
    if !options.is_batch() && has_field && elements(ty).is_some() {
        return Err(syn::Error::new_spanned(
            ty,
            "a handler takes one event, unless it says how many together: add `batch = 100`",
        ));
    }
    Ok(())
}

/// What was meant as one of several events.
fn one_of(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => elements(&reference.elem).unwrap_or(one_of(&reference.elem)),
        Type::Slice(slice) => &slice.elem,
        Type::Array(array) => &array.elem,
        other => other,
    }
}

fn extracted(argument: &PatType) -> syn::Result<()> {
    plain(argument)?;
    match &*argument.ty {
        Type::Reference(reference) => {
            let owned = owned(&reference.elem);
            Err(syn::Error::new_spanned(
                &argument.ty,
                format!("a handler takes its arguments by value{owned}"),
            ))
        }
        _ => Ok(()),
    }
}

/// What goes for every argument.
fn plain(argument: &PatType) -> syn::Result<()> {
    if mentions_impl(argument.ty.to_token_stream()) {
        return Err(syn::Error::new_spanned(
            &argument.ty,
            "a handler names the types of its arguments: the worker has to know them, and `impl Trait` could be any",
        ));
    }
    let conditional = |attr: &&syn::Attribute| attr.path().is_ident("cfg");
    match argument.attrs.iter().find(conditional) {
        Some(cfg) => Err(syn::Error::new_spanned(
            cfg,
            "an argument of a handler cannot be conditional: write two handlers, each with its `#[cfg]`",
        )),
        None => Ok(()),
    }
}

fn owned(ty: &Type) -> String {
    match ty {
        Type::Path(path) => match path.path.segments.last() {
            Some(last) => format!(
                ": write `{}`",
                last.to_token_stream().to_string().replace(' ', "")
            ),
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// Whether this is `State<…>`; a type of the application that is called `State` has no parameters, most likely.
fn is_state(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == "State" && !matches!(last.arguments, PathArguments::None))
}

pub(super) fn mentions_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => mentions_impl(group.stream()),
        _ => false,
    })
}

/// Whether the type names a lifetime other than `'static`, or leaves one out after `&`.
fn borrows(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let borrows = match token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                !matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name == "static")
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                !matches!(tokens.peek(), Some(TokenTree::Punct(tick)) if tick.as_char() == '\'')
            }
            TokenTree::Group(group) => borrows(group.stream()),
            _ => false,
        };
        if borrows {
            return true;
        }
    }
    false
}
