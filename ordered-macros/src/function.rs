use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Item, Signature, Visibility};

/// The annotated function. Its body is passed on as it is.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        Ok(Self {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            sig: input.parse()?,
            body: match input.parse()? {
                TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => body,
                _ => return Err(input.error("expected a body")),
            },
        })
    }
}

impl Function {
    /// Reads the item, or says what it is instead.
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        syn::parse2(item.clone()).map_err(|_| {
            let message = format!(
                "`#[ordered_handler]` goes on an async function, and this is {}",
                name_of(item.clone())
            );
            syn::Error::new_spanned(item, message)
        })
    }
}

fn name_of(item: TokenStream) -> &'static str {
    match syn::parse2(item) {
        Ok(Item::Const(_)) => "a constant",
        Ok(Item::Enum(_)) => "an enum",
        Ok(Item::Impl(_)) => "an impl block",
        Ok(Item::Macro(_)) => "a macro",
        Ok(Item::Mod(_)) => "a module",
        Ok(Item::Static(_)) => "a static",
        Ok(Item::Struct(_)) => "a struct",
        Ok(Item::Trait(_)) => "a trait",
        Ok(Item::Type(_)) => "a type alias",
        Ok(Item::Union(_)) => "a union",
        Ok(Item::Use(_)) => "a use declaration",
        _ => "something else",
    }
}
