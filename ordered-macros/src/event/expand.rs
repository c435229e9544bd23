use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::DeriveInput;

use super::attr::{EventType, Options};
use super::fields::Headers;
use super::stamp::Stamp;
use crate::expand::located;
use crate::field::FieldPath;

pub(super) fn private(options: &Options) -> TokenStream {
    match &options.crate_path {
        Some(path) => quote!(#path::__private),
        None => quote!(::ordered_events::__private),
    }
}

/// An event without a meaning, in place of one that cannot be made: what publishes it gives no messages of its own.
pub(super) fn fallback(input: &DeriveInput, options: &Options) -> TokenStream {
    let private = private(options);
    let name = &input.ident;
    let stamped = Stamp::fallback(input, options);
    let (impl_generics, generics, conditions) = input.generics.split_for_impl();
    quote! {
        #[allow(deprecated, non_local_definitions)]
        const _: () = {
            impl #impl_generics #private::OrderedEvent for #name #generics #conditions {
                fn to_event(
                    &self,
                ) -> #private::Result<#private::Cow<'_, #private::NewEvent>, #private::InvalidEvent> {
                    loop {}
                }
            }

            #stamped
        };
    }
}

pub(super) fn implementation(
    input: &DeriveInput,
    options: &Options,
    key: &FieldPath,
    headers: &Headers,
    stamp: Option<&Stamp<'_>>,
) -> TokenStream {
    let private = private(options);
    let event = Ident::new("__event", Span::mixed_site());
    let text_of = |path: &FieldPath, read: TokenStream| {
        let private = match options.crate_path {
            Some(_) => private.clone(),
            None => located(private.clone(), path.span()),
        };
        let value = path.of("__event", &TokenStream::new(), &private);
        let read = located(quote!(::#read(&#value)), path.span());
        quote!(#private #read)
    };
    let aggregate_type = match &options.aggregate_type {
        Some(text) => quote!(#text),
        None => match key.last_name() {
            Some(name) => quote!(#name),
            None => {
                let error = syn::Error::new(
                    key.span(),
                    "what kind of thing the key names cannot be told from the name of its field: add \
                     `aggregate_type = \"order\"`",
                );
                let (error, fallback) = (error.to_compile_error(), fallback(input, options));
                return quote!(#error #fallback);
            }
        },
    };
    let event_type = match &options.event_type {
        Some(EventType::Text(text)) => quote!(#text),
        Some(EventType::Field(path)) => {
            let text = text_of(path, quote!(HeaderValue::to_header));
            quote!(#text)
        }
        None => {
            let name = input.ident.to_string();
            quote!(#name)
        }
    };
    let key = text_of(key, quote!(KeyValue::to_key));
    let id = options.id.as_ref().map(|id| {
        let id = text_of(id, quote!(EventIdValue::to_event_id));
        quote!(__staged = __staged.id(#id.map_err(#private::invalid_event)?);)
    });
    let headers = headers.0.iter().map(|header| {
        let (name, field) = (&header.name, &header.field);
        // Messages about the field point at what makes a header of it.
        let text = |value: TokenStream| {
            let read = quote!(#private::HeaderValue::to_header(#value));
            located(read, name.span())
        };
        if header.optional {
            let text = text(quote!(__value));
            quote! {
                if let #private::Option::Some(__value) = &#event.#field {
                    __staged = __staged.header(#name, #text);
                }
            }
        } else {
            let text = text(quote!(&#event.#field));
            quote!(__staged = __staged.header(#name, #text);)
        }
    });
    let check = stamp.map(|stamp| stamp.check(options));
    let stamped = stamp.map(|stamp| stamp.implementation(input, options));
    let name = &input.ident;
    let (impl_generics, generics, conditions) = input.generics.split_for_impl();
    quote! {
        #[allow(deprecated, non_local_definitions)]
        const _: () = {
            impl #impl_generics #private::OrderedEvent for #name #generics #conditions {
                #[allow(unused_mut)]
                fn to_event(
                    &self,
                ) -> #private::Result<#private::Cow<'_, #private::NewEvent>, #private::InvalidEvent> {
                    let #event = self;
                    #check
                    let mut __staged = #private::new_event(
                        #aggregate_type,
                        #key.map_err(#private::invalid_event)?,
                        #event_type,
                        #event,
                    )?;
                    #id
                    #(#headers)*
                    #private::Ok(#private::Cow::Owned(__staged))
                }
            }

            #stamped
        };
    }
}
