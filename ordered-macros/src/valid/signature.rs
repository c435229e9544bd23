use quote::ToTokens;
use syn::{ReturnType, Safety, Signature};

use super::arguments::{arguments, mentions_impl};
use crate::attr::Options;
use crate::errors::Errors;

/// Whether a handler can be made of the function. Fixes what can be fixed, so that only the mistake itself is told.
pub(crate) fn signature(sig: &mut Signature, options: &Options, errors: &mut Errors) -> bool {
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
    arguments(sig, options, errors) & generics(sig, errors) & output(sig, errors)
}

fn generics(sig: &Signature, errors: &mut Errors) -> bool {
    if sig.generics.params.is_empty() && sig.generics.where_clause.is_none() {
        return true;
    }
    let lifetimes = !sig.generics.params.is_empty()
        && sig.generics.params.len() == sig.generics.lifetimes().count();
    let message = if lifetimes {
        "a handler cannot have lifetime parameters: it runs after the message is gone; take every argument by value, \
         with `String` for `&str`"
    } else {
        "a handler cannot be generic: the worker has to know its types; write one handler for each type, and let them \
         call a generic function"
    };
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
            "a handler names the type it returns: `Result<(), HandlerError>`, `Result<(), E>` with any error type, or \
             nothing",
        );
        return false;
    }
    true
}
