use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::decode::unwrapped;
use super::{located, private};
use crate::attr::Stamp;
use crate::field::FieldPath;
use crate::model::Model;

/// Finds who sent an event and what its producer knew, where the order comes from that.
pub(crate) fn stamp(model: &Model) -> Option<TokenStream> {
    let stamp = model.options.stamp()?;
    let private = private(model);
    let unwrapped = unwrapped(model, &private);
    let places = match stamp {
        Stamp::Causal { producer, clock } => vec![producer, clock],
        Stamp::Lamport {
            producer,
            seq,
            time,
        } => vec![producer, seq, time],
    };
    let fields = |is_needed: bool| {
        is_needed.then(|| quote!(let __fields = #private::json_fields(__envelope)?;))
    };
    let of_read = fields(places.iter().any(|path| path.is_json()));
    let of_unreadable = fields(places.iter().any(|path| path.is_field() || path.is_json()));
    let envelope = quote!(__envelope);
    let event = Ident::new("__event", Span::mixed_site());
    let read = |path: &FieldPath| path.of("__event", &envelope, &private);
    let there = |path: &FieldPath| path.of_unreadable(&envelope, &private);
    let named = |value: TokenStream| quote!(#private::named(&#value));
    let number = |value: TokenStream| quote!(#private::SeqValue::to_seq(&#value)?.get());
    let at = |path: &FieldPath, tokens: TokenStream| located(tokens, path.span());
    let (of_event, of_json, make) = match stamp {
        Stamp::Causal { producer, clock } => {
            let name = at(producer, named(read(producer)));
            let vector = at(clock, clock.clock("__event", &envelope, &private));
            let (name_there, vector_there) = (
                named(there(producer)),
                clock.clock_of_unreadable(&envelope, &private),
            );
            (
                quote!((#name, #vector)),
                quote!((#name_there, #vector_there)),
                quote! {
                    let (__producer, __clock) = __said;
                    #private::Stamp::causal(__producer, __clock)?
                },
            )
        }
        Stamp::Lamport {
            producer,
            seq,
            time,
        } => {
            let name = at(producer, named(read(producer)));
            let numbers = [seq, time].map(|path| at(path, number(read(path))));
            let [name_there, seq_there, time_there] = [
                named(there(producer)),
                number(there(seq)),
                number(there(time)),
            ];
            (
                quote!((#name, #(#numbers),*)),
                quote!((#name_there, #seq_there, #time_there)),
                quote! {
                    let (__producer, __seq, __time) = __said;
                    #private::Stamp::lamport(__producer, __seq, __time)?
                },
            )
        }
    };
    Some(quote! {
        fn stamp(
            &self,
            __envelope: &#private::Envelope,
            __read: #private::Option<&Self::Event>,
        ) -> #private::Result<#private::Option<#private::Stamp>, #private::Malformed> {
            #unwrapped
            let __said = match __read {
                #private::Some(#event) => {
                    #of_read
                    #of_event
                }
                #private::None => {
                    #of_unreadable
                    #of_json
                }
            };
            #private::Ok(#private::Some({ #make }))
        }
    })
}
