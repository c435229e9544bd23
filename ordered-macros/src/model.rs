use proc_macro2::Ident;
use quote::format_ident;
use syn::{
    Attribute, FnArg, GenericArgument, PathArguments, ReturnType, Signature, Type, Visibility,
    parse_quote,
};

use crate::attr::Options;
use crate::function::Function;

/// A handler to be made.
pub(crate) struct Model {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) attrs: Attributes,
    /// The function as it was written.
    pub(crate) function: Function,
    /// The types of the arguments; the first is the event, or a `Vec` of events.
    pub(crate) types: Vec<Type>,
    /// The type of one event; nothing where there is no argument.
    event: Option<Type>,
    pub(crate) output: Type,
    pub(crate) options: Options,
}

/// The function's attributes, by where they go.
pub(crate) struct Attributes {
    /// On everything that is made.
    pub(crate) cfgs: Vec<Attribute>,
    /// On the unit struct.
    pub(crate) of_struct: Vec<Attribute>,
    /// On the function.
    pub(crate) of_function: Vec<Attribute>,
}

impl Model {
    pub(crate) fn new(function: Function, options: Options) -> Self {
        let types = types(&function.sig);
        let event = types.first().map(|first| {
            let element = elements(first).filter(|_| options.is_batch());
            element.unwrap_or(first).clone()
        });
        Self {
            name: function.sig.ident.clone(),
            vis: function.vis.clone(),
            attrs: Attributes::new(&function.attrs),
            types,
            event,
            output: match &function.sig.output {
                ReturnType::Default => parse_quote!(()),
                ReturnType::Type(_, output) => (**output).clone(),
            },
            function,
            options,
        }
    }

    /// The type of one event.
    pub(crate) fn event(&self) -> &Type {
        self.event.as_ref().expect("a handler takes the event")
    }

    /// Names for the arguments, since those of the function may be patterns.
    pub(crate) fn arguments(&self) -> Vec<Ident> {
        (0..self.types.len())
            .map(|number| {
                let span = proc_macro2::Span::mixed_site();
                format_ident!("__argument_{number}", span = span)
            })
            .collect()
    }
}

/// The `T` of a `Vec<T>`.
pub(crate) fn elements(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Vec")?;
    match &last.arguments {
        PathArguments::AngleBracketed(of) => match of.args.first() {
            Some(GenericArgument::Type(element)) if of.args.len() == 1 => Some(element),
            _ => None,
        },
        _ => None,
    }
}

fn types(sig: &Signature) -> Vec<Type> {
    let typed = |argument: &FnArg| match argument {
        FnArg::Typed(argument) => Some((*argument.ty).clone()),
        FnArg::Receiver(_) => None,
    };
    sig.inputs.iter().filter_map(typed).collect()
}

impl Attributes {
    fn new(attrs: &[Attribute]) -> Self {
        let named = |names: &'static [&str]| {
            attrs
                .iter()
                .filter(|attr| names.iter().any(|name| attr.path().is_ident(name)))
                .cloned()
                .collect()
        };
        let not_of_function = |attr: &&Attribute| {
            !["cfg", "doc", "deprecated"]
                .iter()
                .any(|name| attr.path().is_ident(name))
        };
        Self {
            cfgs: named(&["cfg"]),
            of_struct: named(&["doc", "deprecated", "allow", "warn", "deny", "forbid"]),
            of_function: attrs.iter().filter(not_of_function).cloned().collect(),
        }
    }
}
