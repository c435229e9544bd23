use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::at;
use crate::model::Model;

/// The one place where the future has to be `Send`, so that a future that is not gives one message, and it points at
/// the function's name.
pub(super) fn future(model: &Model, private: &TokenStream) -> TokenStream {
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
pub(super) fn deref(model: &Model, private: &TokenStream) -> TokenStream {
    let (name, types, output) = (&model.name, &model.types, &model.output);
    let arguments = model.arguments();
    let boxed = quote!(#private::Boxed<#output>);
    let target = quote_spanned!(at(&types[0])=> type Target = fn(#(#types),*) -> #boxed;);
    quote! {
        fn __ordered_boxed(#(#arguments: #types),*) -> #boxed {
            #private::boxed(__ordered_future(#(#arguments),*))
        }

        impl #private::Deref for #name {
            #target
            fn deref(&self) -> &Self::Target {
                &(__ordered_boxed as Self::Target)
            }
        }
    }
}

pub(super) fn check(model: &Model, private: &TokenStream) -> TokenStream {
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

pub(super) fn call(model: &Model, private: &TokenStream) -> TokenStream {
    let arguments = model.arguments();
    let (event, rest) = arguments.split_first().expect("a handler takes the event");
    let extracted = model.types.iter().skip(1);
    let output = &model.output;
    let outcome = quote_spanned! {at(output)=>
        <#output as #private::IntoOutcome>::into_outcome
    };
    let body = quote! {
        let _ = &__context;
        #(
            let #rest = <#extracted as #private::FromContext>::from_context(&__context)
                .map_err(#private::HandlerError::permanent)?;
        )*
        #outcome(__ordered_future(#(#arguments),*).await)
    };
    if model.options.is_batch() {
        return batch(event, &body, private);
    }
    quote! {
        async fn call(
            &self,
            #event: Self::Event,
            __context: #private::Context,
        ) -> #private::Result<(), #private::HandlerError> {
            #body
        }
    }
}

/// The function takes several events, and one is several too.
fn batch(events: &Ident, body: &TokenStream, private: &TokenStream) -> TokenStream {
    quote! {
        async fn call(
            &self,
            __event: Self::Event,
            __context: #private::Context,
        ) -> #private::Result<(), #private::HandlerError> {
            let __run = #private::alone(__event, __context);
            <Self as #private::Handler>::call_batch(self, __run).await
        }

        async fn call_batch(
            &self,
            __run: #private::Vec<(Self::Event, #private::Context)>,
        ) -> #private::Result<(), #private::HandlerError> {
            let #private::Option::Some((#events, __context)) = #private::together(__run) else {
                return #private::Ok(());
            };
            #body
        }
    }
}
