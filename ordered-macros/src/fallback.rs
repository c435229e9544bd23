use proc_macro2::TokenStream;
use quote::quote;

use crate::expand;
use crate::model::Model;

/// A handler without a meaning, in place of one that cannot be made: what uses it gives no messages of its own.
pub(crate) fn handler(model: &Model) -> TokenStream {
    let private = expand::private(model);
    let unit_struct = expand::unit_struct(model);
    let function = expand::function(model);
    let options = expand::options(model, &private);
    let decode = decode(model);
    let (name, cfgs) = (&model.name, &model.attrs.cfgs);
    quote! {
        #unit_struct

        #(#cfgs)*
        #[allow(dead_code, deprecated, non_local_definitions)]
        const _: () = {
            #function

            impl #private::Handler for #name {
                type Event = ();
                #options
                #decode
                async fn call(
                    &self,
                    _: Self::Event,
                    _: #private::Context,
                ) -> #private::Result<(), #private::HandlerError> {
                    #private::Ok(())
                }
            }
        };
    }
}

/// In place of a `decode` whose fields are not known.
pub(crate) fn decode(model: &Model) -> TokenStream {
    let private = expand::private(model);
    quote! {
        fn decode(
            &self,
            _: &#private::Envelope,
        ) -> #private::Result<#private::Decoded<Self::Event>, #private::Malformed> {
            loop {}
        }
    }
}
