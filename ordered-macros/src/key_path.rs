use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, Lit, LitStr};

use crate::attr::Setting;
use crate::field::FieldPath;
use crate::value;

/// Where the key of an event is: one place, or several whose texts are joined.
pub(crate) struct KeyPath {
    parts: Vec<FieldPath>,
    written: TokenStream,
}

/// More is a slip: the parts are written into every key.
const MOST_PARTS: usize = 8;

impl KeyPath {
    /// Reads `"order_id"` or `["tenant", "order_id"]`.
    pub(crate) fn parse(setting: &Setting) -> syn::Result<Self> {
        let mut given = setting.value.as_ref();
        while let Some(Expr::Group(group)) = given {
            given = Some(&group.expr);
        }
        let Some(Expr::Array(array)) = given else {
            return value::field(setting).map(Self::from);
        };
        let wrong = |message: &str| Err(syn::Error::new_spanned(array, message));
        match array.elems.len() {
            0 => return wrong("the key has no parts: `key = [\"tenant\", \"order_id\"]`"),
            1 => {
                return wrong(
                    "a key of one part needs no brackets: `key = \"order_id\"`; of several parts it is \
                     `key = [\"tenant\", \"order_id\"]`",
                );
            }
            2..=MOST_PARTS => {}
            _ => {
                return wrong(&format!(
                    "a key has {MOST_PARTS} parts at most: `key = [\"tenant\", \"order_id\"]`"
                ));
            }
        }
        let mut parts: Vec<FieldPath> = Vec::new();
        for element in &array.elems {
            let part = FieldPath::parse(text(element)?)?;
            if parts.contains(&part) {
                return Err(syn::Error::new_spanned(
                    element,
                    "this part of the key is given twice",
                ));
            }
            parts.push(part);
        }
        Ok(Self {
            parts,
            written: array.to_token_stream(),
        })
    }

    pub(crate) fn parts(&self) -> &[FieldPath] {
        &self.parts
    }

    /// Whether this is the one place where the key is.
    pub(crate) fn is(&self, path: &FieldPath) -> bool {
        matches!(&*self.parts, [only] if only == path)
    }
}

impl From<FieldPath> for KeyPath {
    fn from(only: FieldPath) -> Self {
        Self {
            written: only.to_token_stream(),
            parts: vec![only],
        }
    }
}

impl ToTokens for KeyPath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.written.to_tokens(tokens);
    }
}

fn text(element: &Expr) -> syn::Result<&LitStr> {
    let mut element = element;
    while let Expr::Group(group) = element {
        element = &group.expr;
    }
    match element {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Ok(text),
            _ => Err(not_text(element)),
        },
        _ => Err(not_text(element)),
    }
}

fn not_text(element: &Expr) -> syn::Error {
    syn::Error::new_spanned(
        element,
        "each part of the key is the name of a field, in quotes: `key = [\"tenant\", \"order_id\"]`",
    )
}
