//! The attribute of `ordered`, which the facade `ordered-events` re-exports.
//!
//! Parse ([`attr`], [`function`]) → model → validate → expand. On a mistake the [`fallback`] still makes an item of the
//! function's name, so that one mistake gives one message.

mod attr;
mod duration;
mod errors;
mod expand;
mod fallback;
mod field;
mod function;
mod model;
mod suggest;
mod valid;
mod value;

use proc_macro2::TokenStream;
use quote::quote;
use syn::FnArg;

use crate::attr::Options;
use crate::errors::Errors;
use crate::function::Function;
use crate::model::Model;

/// Makes a handler of an async function.
#[proc_macro_attribute]
pub fn ordered_handler(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(options.into(), item.into()).into()
}

fn attribute(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(options, &mut errors);
    let Some(mut function) = errors.keep(Function::parse(item.clone())) else {
        return quote!(#errors #item);
    };
    valid::options(&options, &mut errors);
    let can_be_made = valid::signature(&mut function.sig, &mut errors);
    if matches!(function.sig.inputs.first(), Some(FnArg::Receiver(_))) {
        // Only a function can stand in an impl.
        return quote!(#errors #item);
    }
    let model = Model::new(function, options);
    let handler = match (&model.options.key, &model.options.seq) {
        _ if !can_be_made => fallback::handler(&model),
        (Some(key), Some(seq)) if errors.is_empty() => {
            expand::handler(&model, &expand::decode(&model, key, seq))
        }
        _ => expand::handler(&model, &fallback::decode(&model)),
    };
    quote!(#errors #handler)
}
