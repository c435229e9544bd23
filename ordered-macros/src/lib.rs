//! The attribute of `ordered`.

use proc_macro::TokenStream;

/// Makes a handler of an async function.
#[proc_macro_attribute]
pub fn ordered_handler(_options: TokenStream, item: TokenStream) -> TokenStream {
    item
}
