use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Model;

/// Says which types of events the handler handles, where it does not handle all.
pub(super) fn types(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    let types = model.options.on.as_ref()?;
    let place = model.options.event_type.as_ref();
    let place = place.map(|place| {
        let place = place.recorded(private);
        quote!(.at(#place))
    });
    Some(quote! {
        fn handled_types(&self) -> #private::Option<#private::HandledTypes> {
            #private::Some(#private::HandledTypes::new([#(#types),*]) #place)
        }
    })
}
