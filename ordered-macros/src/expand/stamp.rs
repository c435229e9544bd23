use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::decode::unwrapped;
use super::{located, private};
use crate::field::FieldPath;
use crate::model::Model;

/// Finds who sent an event and what its producer knew, where the order comes from that.
pub(crate) fn stamp(model: &Model) -> Option<TokenStream> {
    let (producer, clock) = model.options.stamp()?;
    let private = private(model);
    let unwrapped = unwrapped(model, &private);
    let fields = |is_needed: bool| {
        is_needed.then(|| quote!(let __fields = #private::json_fields(__envelope)?;))
    };
    let in_body = |path: &FieldPath| path.is_field() || path.is_json();
    let (of_read, of_unreadable) = (
        fields(producer.is_json() || clock.is_json()),
        fields(in_body(producer) || in_body(clock)),
    );
    let envelope = quote!(__envelope);
    let event = Ident::new("__event", Span::mixed_site());
    let named = |value: TokenStream| quote!(#private::named(&#value));
    let (name, vector) = (
        located(
            named(producer.of("__event", &envelope, &private)),
            producer.span(),
        ),
        located(clock.clock("__event", &envelope, &private), clock.span()),
    );
    let (name_there, vector_there) = (
        named(producer.of_unreadable(&envelope, &private)),
        clock.clock_of_unreadable(&envelope, &private),
    );
    Some(quote! {
        fn stamp(
            &self,
            __envelope: &#private::Envelope,
            __read: #private::Option<&Self::Event>,
        ) -> #private::Result<#private::Option<#private::Stamp>, #private::Malformed> {
            #unwrapped
            let (__producer, __clock) = match __read {
                #private::Some(#event) => {
                    #of_read
                    (#name, #vector)
                }
                #private::None => {
                    #of_unreadable
                    (#name_there, #vector_there)
                }
            };
            #private::Ok(#private::Some(#private::Stamp::causal(__producer, __clock)?))
        }
    })
}
