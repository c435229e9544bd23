use proc_macro2::TokenStream;
use quote::quote;

use super::private;
use crate::attr::Envelope;
use crate::field::FieldPath;
use crate::key_path::KeyPath;
use crate::model::Model;

/// Says where key, seq and id are.
pub(crate) fn places(model: &Model, key: &KeyPath, seq: &FieldPath) -> TokenStream {
    let private = private(model);
    let place = |path: &FieldPath| path.recorded(&private);
    let key = key.parts().iter().map(place);
    let seq = place(seq);
    let id = match &model.options.id {
        Some(id) => {
            let id = place(id);
            quote!(#private::Some(#id))
        }
        None => quote!(#private::None),
    };
    let around = match model.options.envelope {
        Some(Envelope::CloudEvents) => quote!(.in_cloud_events()),
        Some(Envelope::Sns) => quote!(.in_sns_messages()),
        None => quote!(),
    };
    quote! {
        fn places(&self) -> #private::Option<#private::EventPlaces> {
            #private::Some(#private::EventPlaces::new([#(#key),*], #seq, #id) #around)
        }
    }
}
