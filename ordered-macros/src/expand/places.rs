use proc_macro2::TokenStream;
use quote::quote;

use super::private;
use crate::choices::Envelope;
use crate::field::FieldPath;
use crate::key_path::KeyPath;
use crate::model::Model;

/// Says where key, seq and id are, where they can be found without the handler.
pub(crate) fn places(model: &Model, key: &KeyPath, seq: Option<&FieldPath>) -> Option<TokenStream> {
    if model.options.decode.is_some() {
        return None;
    }
    let private = private(model);
    let place = |path: &FieldPath| path.recorded(&private);
    let key = key.parts().iter().map(place);
    let maybe = |path: Option<&FieldPath>| match path.map(place) {
        Some(place) => quote!(#private::Some(#place)),
        None => quote!(#private::None),
    };
    let (seq, id) = (maybe(seq), maybe(model.options.id.as_ref()));
    let around = match model.options.envelope {
        Some(Envelope::CloudEvents) => quote!(.in_cloud_events()),
        Some(Envelope::Sns) => quote!(.in_sns_messages()),
        None => quote!(),
    };
    Some(quote! {
        fn places(&self) -> #private::Option<#private::EventPlaces> {
            #private::Some(#private::EventPlaces::new([#(#key),*], #seq, #id) #around)
        }
    })
}
