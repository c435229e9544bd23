use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::{located, private};
use crate::choices::Envelope;
use crate::field::FieldPath;
use crate::key_path::KeyPath;
use crate::model::Model;

/// Finds key, seq and id of an event that cannot be read as its type; nothing where they are in a body that is not
/// JSON.
pub(crate) fn place(model: &Model, key: &KeyPath, seq: Option<&FieldPath>) -> Option<TokenStream> {
    let private = private(model);
    let is_cloud_event = model.options.envelope == Some(Envelope::CloudEvents);
    let unwrapped = unwrapped(model, &private);
    let in_body = |path: &FieldPath| path.is_field() || path.is_json();
    if model.options.decode.is_some() && model.options.places().any(in_body) {
        return None;
    }
    let has_fields = is_cloud_event || model.options.places().any(in_body);
    let fields = has_fields.then(|| quote!(let __fields = #private::json_fields(__envelope)?;));
    let field = |path: &FieldPath, read: TokenStream| {
        let value = path.of_unreadable(&quote!(__envelope), &private);
        quote!(#private::#read(&#value)?)
    };
    let key = match key.parts() {
        [only] => field(only, quote!(KeyValue::to_key)),
        parts => {
            let parts = parts.iter().map(|part| {
                let (name, key) = (
                    part.text(),
                    part.of_unreadable(&quote!(__envelope), &private),
                );
                quote!((#name, #private::KeyValue::to_key(&#key)))
            });
            quote!(#private::composite_key([#(#parts),*])?)
        }
    };
    let seq = match seq {
        Some(seq) => field(seq, quote!(SeqValue::to_seq)),
        None => quote!(#private::Seq::UNNUMBERED),
    };
    let id = match &model.options.id {
        Some(id) => field(id, quote!(EventIdValue::to_event_id)),
        None if model.options.id_of_body => of_body(&private),
        None if is_cloud_event => quote!(#private::cloud_event_id(&__fields)?),
        None => of_content(model, &private),
    };
    Some(quote! {
        fn place(
            &self,
            __envelope: &#private::Envelope,
        ) -> #private::Option<#private::Decoded<()>> {
            let __place = || -> #private::Result<#private::Decoded<()>, #private::Malformed> {
                #unwrapped
                #fields
                let __key = #key;
                let __seq = #seq;
                let __id = #id;
                #private::Ok(#private::Decoded {
                    key: __key,
                    seq: __seq,
                    id: __id,
                    event: (),
                })
            };
            __place().ok()
        }
    })
}

/// The id of an event that names none: that of its JSON, where there is one, otherwise of its content.
fn of_content(model: &Model, private: &TokenStream) -> TokenStream {
    match model.options.decode {
        Some(_) => quote!(#private::EventId::of_content(&__key, __seq, &__envelope.body)),
        None => quote!(#private::json_field_as_id(__envelope, &__key, __seq)?),
    }
}

/// The id of an event that is known by the bytes of its body.
fn of_body(private: &TokenStream) -> TokenStream {
    quote!(#private::EventId::of_body(&__key, &__envelope.body))
}

/// Takes the event out of the envelope that the attribute names.
pub(super) fn unwrapped(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    model.options.envelope.map(|envelope| {
        let unwrap = match envelope {
            Envelope::CloudEvents => quote!(cloud_event),
            Envelope::Sns => quote!(sns_message),
        };
        quote! {
            let __unwrapped = #private::#unwrap(__envelope)?;
            let __envelope = &__unwrapped;
        }
    })
}

/// Takes the event out of what is around it, reads it, then its key, seq and id.
pub(crate) fn decode(model: &Model, key: &KeyPath, seq: Option<&FieldPath>) -> TokenStream {
    let private = private(model);
    let is_cloud_event = model.options.envelope == Some(Envelope::CloudEvents);
    let unwrapped = unwrapped(model, &private);
    let has_fields = is_cloud_event || model.options.places().any(FieldPath::is_json);
    let fields = has_fields.then(|| quote!(let __fields = #private::json_fields(__envelope)?;));
    let ty = model.event();
    let event = Ident::new("__event", Span::mixed_site());
    let field = |path: &FieldPath, read: TokenStream| {
        // A wrong `crate` path gives one message as long as it has one place.
        let private = match model.options.crate_path {
            Some(_) => private.clone(),
            None => located(private.clone(), path.span()),
        };
        let value = path.of("__event", &quote!(__envelope), &private);
        let read = located(quote!(::#read(&#value)), path.span());
        quote!(#private #read)
    };
    let key = match key.parts() {
        [only] => {
            let key = field(only, quote!(KeyValue::to_key));
            quote!(#key?)
        }
        parts => {
            let parts = parts.iter().map(|part| {
                let (name, key) = (part.text(), field(part, quote!(KeyValue::to_key)));
                quote!((#name, #key))
            });
            quote!(#private::composite_key([#(#parts),*])?)
        }
    };
    let seq = match seq {
        Some(seq) => {
            let seq = field(seq, quote!(SeqValue::to_seq));
            quote!(#seq?)
        }
        None => quote!(#private::Seq::UNNUMBERED),
    };
    let id = match &model.options.id {
        None if model.options.id_of_body => of_body(&private),
        Some(id) => {
            let id = field(id, quote!(EventIdValue::to_event_id));
            quote!(#id?)
        }
        None if is_cloud_event => quote!(#private::cloud_event_id(&__fields)?),
        None => of_content(model, &private),
    };
    let read = match &model.options.decode {
        Some(decoder) => quote!(<#decoder as #private::Decode<#ty>>::decode(__envelope)?),
        None => quote!(#private::json_event::<#ty>(__envelope)?),
    };
    quote! {
        fn decode(
            &self,
            __envelope: &#private::Envelope,
        ) -> #private::Result<#private::Decoded<Self::Event>, #private::Malformed> {
            #unwrapped
            let #event = #read;
            #fields
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
