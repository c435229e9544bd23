use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, PatType, PathArguments, ReturnType, Safety, Signature, Type};

use crate::attr::Options;
use crate::errors::Errors;

/// What no single option can tell.
pub(crate) fn options(options: &Options, errors: &mut Errors) {
    let missing: Vec<_> = [
        ("key", "the field that says what an event belongs to"),
        ("seq", "the field with its sequence number"),
    ]
    .into_iter()
    .filter(|(name, _)| options.setting(name).is_none())
    .collect();
    // An attribute that cannot be read as a list says so, and no more.
    if errors.is_empty() {
        for (name, meaning) in missing {
            errors.at_attribute(format!(
                "`{name}`, {meaning}, is missing: `#[ordered_handler(key = \"order_id\", seq = \"seq\")]`"
            ));
        }
    }

    if let Some(group) = &options.group
        && group.value().trim().is_empty()
    {
        errors.at(
            group,
            "the group is empty: leave it out, and the function's name is taken",
        );
    }
    for (name, duration) in [
        ("timeout", options.timeout),
        ("dedup_ttl", options.dedup_ttl),
    ] {
        if duration.is_some_and(|duration| duration.is_zero()) {
            let value = options.setting(name).map(|setting| &setting.value);
            errors.at(value, format!("`{name}` must be longer than nothing"));
        }
    }
    if let (Some(base), Some(cap)) = (options.backoff, options.max_backoff)
        && cap < base
    {
        let value = options.setting("max_backoff").map(|setting| &setting.value);
        errors.at(
            value,
            "`max_backoff` is shorter than `backoff`, the wait it bounds",
        );
    }
    if let (Some(key), Some(seq)) = (&options.key, &options.seq)
        && key == seq
    {
        errors.at(
            seq,
            "`key` and `seq` are one field: the key says what the event belongs to, the seq counts the events of one key",
        );
    }
    if let (Some(key), Some(id)) = (&options.key, &options.id)
        && key == id
    {
        errors.at(
            id,
            "`key` and `id` are one field: all events of a key would pass as one event, and its repetitions",
        );
    }
}

/// Whether a handler can be made of the function. Mends what can be mended, so that only the mistake itself is told.
pub(crate) fn signature(sig: &mut Signature, errors: &mut Errors) -> bool {
    if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token,
            format!("a handler is async: write `async fn {}`", sig.ident),
        );
        sig.asyncness = Some(Default::default());
    }
    if let Some(token) = sig.constness.take() {
        errors.at(token, "a handler cannot be a `const fn`: leave `const` out");
    }
    if let Safety::Unsafe(_) | Safety::Safe(_) = sig.safety {
        errors.at(
            &sig.safety,
            "a handler cannot be an `unsafe fn`: the worker calls it; put `unsafe { … }` into its body",
        );
        sig.safety = Safety::Default;
    }
    if let Some(abi) = sig.abi.take() {
        errors.at(
            abi,
            "a handler cannot be an `extern` function: leave the ABI out",
        );
    }
    arguments(sig, errors) & generics(sig, errors) & output(sig, errors)
}

fn generics(sig: &Signature, errors: &mut Errors) -> bool {
    if sig.generics.params.is_empty() && sig.generics.where_clause.is_none() {
        return true;
    }
    let message = "a handler cannot be generic: the worker has to know its types; write one handler for each type, \
                   and let them call a generic function";
    if sig.generics.params.is_empty() {
        errors.at(&sig.generics.where_clause, message);
    } else {
        errors.at(&sig.generics, message);
    }
    false
}

fn output(sig: &Signature, errors: &mut Errors) -> bool {
    if let ReturnType::Type(_, output) = &sig.output
        && mentions_impl(output.to_token_stream())
    {
        errors.at(
            output,
            "a handler names the type it returns: `Result<(), HandlerError>`, `Result<(), E>` with any error type, or nothing",
        );
        return false;
    }
    true
}

fn arguments(sig: &Signature, errors: &mut Errors) -> bool {
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
            FnArg::Typed(typed) if place == 0 => event(typed, sig),
            FnArg::Typed(typed) => extracted(typed),
        };
        sound &= errors.keep(found).is_some();
    }
    sound
}

fn event(argument: &PatType, sig: &Signature) -> syn::Result<()> {
    let ty = &*argument.ty;
    plain(argument)?;
    if sig.inputs.len() > 1 && is_state(ty) {
        return Err(syn::Error::new_spanned(
            ty,
            "the event comes first, and what is taken from the worker after it: `(event: OrderEvent, State(db): State<Db>)`",
        ));
    }
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
            "an event owns its data, since it outlives the message it came in: use `String` for `&str` and `Cow<'_, str>`, and leave the lifetime out",
        ));
    }
    Ok(())
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

fn mentions_impl(tokens: TokenStream) -> bool {
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
