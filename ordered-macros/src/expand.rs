use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::field::FieldPath;
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
    let future = future(model, &private);
    let deref = deref(model, &private);
    let options = options(model, &private);
    let check = check(model, &private);
    let call = call(model, &private);
    let (name, cfgs, event) = (&model.name, &model.attrs.cfgs, &model.types[0]);
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

/// The one place where the future has to be `Send`, so that a future that is not gives one message, and it points at
/// the function's name.
fn future(model: &Model, private: &TokenStream) -> TokenStream {
    let (name, types, output) = (&model.name, &model.types, &model.output);
    let arguments = model.arguments();
    let future =
        quote_spanned!(at(name)=> impl #private::Future<Output = #output> + #private::Send);
    let call = quote_spanned!(at(name)=> #name(#(#arguments),*));
    quote! {
        fn __ordered_future(#(#arguments: #types),*) -> #future {
            #call
        }
    }
}

/// What lets the unit struct be called as the function it was.
fn deref(model: &Model, private: &TokenStream) -> TokenStream {
    let (name, types, output) = (&model.name, &model.types, &model.output);
    let arguments = model.arguments();
    let boxed = quote! {
        #private::Pin<#private::Box<dyn #private::Future<Output = #output> + #private::Send>>
    };
    let target = quote_spanned!(at(&types[0])=> type Target = fn(#(#types),*) -> #boxed;);
    quote! {
        fn __ordered_boxed(#(#arguments: #types),*) -> #boxed {
            #private::Box::pin(__ordered_future(#(#arguments),*))
        }

        impl #private::Deref for #name {
            #target
            fn deref(&self) -> &Self::Target {
                &(__ordered_boxed as Self::Target)
            }
        }
    }
}

pub(crate) fn options(model: &Model, private: &TokenStream) -> TokenStream {
    let given = &model.options;
    let group = match &given.group {
        Some(group) => group.value(),
        None => syn::ext::IdentExt::unraw(&model.name).to_string(),
    };
    let duration = |duration: Duration| {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        quote!(#private::Duration::from_millis(#milliseconds))
    };
    let mut lines = TokenStream::new();
    let mut assign = |field: TokenStream, value: Option<TokenStream>| {
        if let Some(value) = value {
            lines.extend(quote!(__options.#field = #value;));
        }
    };
    let number = |number: u64| {
        let number = proc_macro2::Literal::u64_unsuffixed(number);
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

/// Reads the event, then its key, seq and id.
pub(crate) fn decode(model: &Model, key: &FieldPath, seq: &FieldPath) -> TokenStream {
    let private = private(model);
    let ty = &model.types[0];
    let event = Ident::new("__event", Span::mixed_site());
    let field = |path: &FieldPath, read: &str| {
        let read = Ident::new(read, path.span());
        let value = path.of("__event");
        quote_spanned!(path.span()=> #private::#read(&#value)?)
    };
    let key = field(key, "read_key");
    let seq = field(seq, "read_seq");
    let id = match &model.options.id {
        Some(id) => field(id, "read_id"),
        None => quote!(#private::json_field_as_id(__envelope, &__key, __seq)?),
    };
    quote! {
        fn decode(
            &self,
            __envelope: &#private::Envelope,
        ) -> #private::Result<#private::Decoded<Self::Event>, #private::Malformed> {
            let #event = #private::json_event::<#ty>(__envelope)?;
            let __key = #key;
            let __seq = #seq;
            let __id = #id;
            #private::Ok(#private::Decoded {
                key: __key,
                seq: __seq,
                id: __id,
                event: #event,
            })
        }
    }
}

fn check(model: &Model, private: &TokenStream) -> TokenStream {
    let extracted = model.types.iter().skip(1);
    quote! {
        fn check(
            &self,
            __states: &#private::States,
        ) -> #private::Result<(), #private::MissingState> {
            let _ = __states;
            #(<#extracted as #private::FromContext>::check(__states)?;)*
            #private::Ok(())
        }
    }
}

fn call(model: &Model, private: &TokenStream) -> TokenStream {
    let arguments = model.arguments();
    let (event, rest) = arguments.split_first().expect("a handler takes the event");
    let extracted = model.types.iter().skip(1);
    let output = &model.output;
    let outcome = quote_spanned! {at(output)=>
        <#output as #private::IntoOutcome>::into_outcome
    };
    quote! {
        async fn call(
            &self,
            #event: Self::Event,
            __context: #private::Context,
        ) -> #private::Result<(), #private::HandlerError> {
            let _ = &__context;
            #(let #rest = #private::extract::<#extracted>(&__context)?;)*
            #outcome(__ordered_future(#(#arguments),*).await)
        }
    }
}

/// Where messages about the tokens point, while names are looked up as in this crate.
fn at(tokens: &impl Spanned) -> Span {
    Span::mixed_site().located_at(tokens.span())
}
