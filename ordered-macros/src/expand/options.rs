use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use crate::model::Model;

pub(crate) fn options(model: &Model, private: &TokenStream) -> TokenStream {
    let given = &model.options;
    let group = match &given.group {
        Some(group) => group.value(),
        None => model.name.unraw().to_string(),
    };
    let duration = |duration: Duration| {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        quote!(#private::millis(#milliseconds))
    };
    let mut lines = TokenStream::new();
    let mut assign = |field: TokenStream, value: Option<TokenStream>| {
        if let Some(value) = value {
            lines.extend(quote!(__options.#field = #value;));
        }
    };
    let number = |number: u64| {
        let number = Literal::u64_unsuffixed(number);
        quote!(#number)
    };
    // A base above the default cap raises the cap with it.
    let cap = given.max_backoff.map(duration).or_else(|| {
        given
            .backoff
            .is_some()
            .then(|| quote!(#private::max(__options.backoff.base, __options.backoff.cap)))
    });
    assign(quote!(timeout), given.timeout.map(duration));
    assign(quote!(backoff.base), given.backoff.map(duration));
    assign(quote!(backoff.cap), cap);
    assign(quote!(policy.max_attempts), given.max_attempts.map(number));
    assign(quote!(policy.dedup_ttl), given.dedup_ttl.map(duration));
    assign(quote!(policy.key_quota.events), given.max_held.map(number));
    assign(quote!(policy.lane_depth), given.lane_depth.map(number));
    assign(quote!(policy.first_seq), given.first_seq.map(number));
    quote! {
        fn options(&self) -> #private::HandlerOptions {
            #[allow(unused_mut)]
            let mut __options = #private::HandlerOptions::new(#group);
            #lines
            __options
        }
    }
}
