use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::{located, private};
use crate::field::FieldPath;
use crate::model::Model;

/// Reads the event, then its key, seq and id.
pub(crate) fn decode(model: &Model, key: &FieldPath, seq: &FieldPath) -> TokenStream {
    let private = private(model);
    let ty = model.event();
    let event = Ident::new("__event", Span::mixed_site());
    let field = |path: &FieldPath, read: TokenStream| {
        // A wrong `crate` path gives one message as long as it has one place.
        let private = match model.options.crate_path {
            Some(_) => private.clone(),
            None => located(private.clone(), path.span()),
        };
        let value = path.of("__event", &quote!(__envelope), &private);
        let read = located(quote!(::#read(&#value)?), path.span());
        quote!(#private #read)
    };
    let key = field(key, quote!(KeyValue::to_key));
    let seq = field(seq, quote!(SeqValue::to_seq));
    let id = match &model.options.id {
        Some(id) => field(id, quote!(EventIdValue::to_event_id)),
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
