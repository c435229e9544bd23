mod calling;
mod decode;
mod options;
mod places;
mod stamp;
mod types;

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

pub(crate) use decode::{decode, place};
pub(crate) use options::options;
pub(crate) use places::places;
pub(crate) use stamp::stamp;

use crate::model::Model;

/// The path of what the generated code uses.
pub(crate) fn private(model: &Model) -> TokenStream {
    match &model.options.crate_path {
        Some(path) => quote!(#path::__private),
        None => quote!(::ordered_events::__private),
    }
}

/// The unit struct, the function, and what makes them one.
pub(crate) fn handler(model: &Model, decode: &TokenStream) -> TokenStream {
    let private = private(model);
    let unit_struct = unit_struct(model);
    let function = function(model);
    let future = calling::future(model, &private);
    let deref = calling::deref(model, &private);
    let options = options(model, &private);
    let check = calling::check(model, &private);
    let call = calling::call(model, &private);
    let types = types::types(model, &private);
    let (name, cfgs, event) = (&model.name, &model.attrs.cfgs, model.event());
    // Located, as `Target` below is, for the one message about an event that is less visible than its handler.
    let event_type = quote_spanned!(at(event)=> type Event = #event;);
    quote! {
        #unit_struct

        #(#cfgs)*
        #[allow(deprecated, non_local_definitions)]
        const _: () = {
            #function
            #future
            #deref

            impl #private::Handler for #name {
                #event_type
                #options
                #decode
                #check
                #types
                #call
            }
        };
    }
}

/// `cfg`s are repeated here, since this item stands outside the block.
pub(crate) fn unit_struct(model: &Model) -> TokenStream {
    let (name, vis) = (&model.name, &model.vis);
    let (cfgs, attrs) = (&model.attrs.cfgs, &model.attrs.of_struct);
    quote! {
        #(#cfgs)*
        #(#attrs)*
        #[allow(non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name;
    }
}

pub(crate) fn function(model: &Model) -> TokenStream {
    let attrs = &model.attrs.of_function;
    let (sig, body) = (&model.function.sig, &model.function.body);
    quote!(#(#attrs)* #sig #body)
}

/// The same tokens, but messages about them point at the span.
pub(crate) fn located(tokens: TokenStream, span: Span) -> TokenStream {
    let move_token = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), located(group.stream(), span)).into();
        }
        token.set_span(token.span().located_at(span));
        token
    };
    tokens.into_iter().map(move_token).collect()
}

/// Where messages about the tokens point, while names are looked up as in this crate.
fn at(tokens: &impl Spanned) -> Span {
    Span::mixed_site().located_at(tokens.span())
}
