//! What the clock of its producer says, in fields of the event.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Fields, Member, Type};

use super::attr::Options;
use super::expand::private;
use crate::errors::Errors;
use crate::expand::located;
use crate::field::FieldPath;

/// The fields that a clock writes.
pub(super) enum Stamp<'a> {
    /// A vector clock.
    Causal {
        producer: &'a FieldPath,
        clock: &'a FieldPath,
    },
    /// The time of a Lamport clock, with the number of the event among those of its producer.
    Lamport {
        producer: &'a FieldPath,
        seq: &'a FieldPath,
        time: &'a FieldPath,
    },
    /// A time alone: the type of its field, if there is one, says of which clock.
    Time {
        time: &'a FieldPath,
        ty: Option<&'a Type>,
    },
}

impl<'a> Stamp<'a> {
    /// What the options say of it, where these fit together.
    pub(super) fn of(
        options: &'a Options,
        fields: &'a Fields,
        errors: &mut Errors,
    ) -> Option<Self> {
        let Options {
            producer,
            clock,
            seq,
            time,
            ..
        } = options;
        let (producer, clock) = (producer.as_ref(), clock.as_ref());
        let (seq, time) = (seq.as_ref(), time.as_ref());
        match (producer, clock, seq, time) {
            (None, None, None, None) => None,
            (_, Some(clock), None, None) => {
                let Some(producer) = producer else {
                    errors.at(
                        clock,
                        "a vector clock counts the events of each producer, and this does not say who sends the event: \
                         add `producer = \"author\"`",
                    );
                    return None;
                };
                Some(Self::Causal { producer, clock })
            }
            (_, Some(_), ..) => {
                let path = time.or(seq);
                errors.at(
                    path,
                    "an event has a vector clock (`clock`), or the time of a Lamport clock (`time`, with `seq`): leave \
                     one of them out",
                );
                None
            }
            (None, None, None, Some(time)) => {
                let Some(member) = time.member() else {
                    errors.at(
                        time,
                        "without `producer` and `seq` the `time` is a field of the struct itself: its type says which \
                         clock gives it",
                    );
                    return None;
                };
                let ty = type_of(fields, member);
                Some(Self::Time { time, ty })
            }
            (Some(producer), None, Some(seq), Some(time)) => Some(Self::Lamport {
                producer,
                seq,
                time,
            }),
            (Some(producer), None, None, None) => {
                errors.at(
                    producer,
                    "this says who sends the event, and not what its clock says: add `clock = \"vector\"` \
                     (`order = \"causal\"`), or `seq = \"seq\", time = \"time\"` (`order = \"lamport\"`)",
                );
                None
            }
            (_, None, Some(seq), None) => {
                errors.at(
                    seq,
                    "the seq is no option of its own: where the outbox or a sequencer numbers the events, the handler \
                     reads it with `seq = \"header:x-ordered-seq\"`; where you number them, it is a field of the body \
                     like any other. With the times of Lamport clocks it counts the events of a producer: add \
                     `producer = \"branch\", time = \"time\"`",
                );
                None
            }
            (Some(_), None, None, Some(time)) => {
                errors.at(
                    time,
                    "with a `producer` the time comes with a number, that of the event among those of its producer: \
                     add `seq = \"seq\"`",
                );
                None
            }
            (None, None, Some(seq), Some(_)) => {
                errors.at(
                    seq,
                    "this counts the events of a producer, and it is not said who that is: add `producer = \"branch\"`",
                );
                None
            }
        }
    }

    /// Whether a consumer takes the event, once it is published.
    pub(super) fn check(&self, options: &Options) -> TokenStream {
        let private = private(options);
        let (function, values) = match self {
            Self::Causal { producer, clock } => (quote!(check_causal), vec![*producer, *clock]),
            Self::Lamport {
                producer,
                seq,
                time,
            } => (quote!(check_lamport), vec![*producer, *seq, *time]),
            Self::Time { .. } => return TokenStream::new(),
        };
        let producer = name(values[0], options);
        let values = values[1..].iter().map(|path| {
            let value = value(path, &private);
            located(quote!(&#value), path.span())
        });
        quote!(#private::#function(#producer, #(#values),*)?;)
    }

    /// `impl StampedEvent`.
    pub(super) fn implementation(&self, input: &DeriveInput, options: &Options) -> TokenStream {
        let private = private(options);
        let event = Ident::new("__event", Span::mixed_site());
        let field = |path: &FieldPath| {
            let value = value(path, &private);
            located(quote!(&mut #value), path.span())
        };
        let (clock, stamp) = match self {
            Self::Causal { producer, clock } => {
                let (name, field) = (name(producer, options), field(clock));
                (
                    quote!(#private::VectorClock),
                    quote!(#private::stamp_causal(&#name, #field, __clock)),
                )
            }
            Self::Lamport {
                producer,
                seq,
                time,
            } => {
                let name = name(producer, options);
                let [seq, time] = [seq, time].map(|path| {
                    let field = field(path);
                    let set = located(quote!(::NumberField::set_number), path.span());
                    (quote!(#private #set), field)
                });
                let ((set_seq, seq), (set_time, time)) = (seq, time);
                (
                    quote!(#private::LamportProducer),
                    quote! {
                        #private::stamp_lamport(
                            &#name,
                            |__seq, __time| {
                                #set_seq(#seq, __seq)?;
                                #set_time(#time, __time)
                            },
                            __clock,
                        )
                    },
                )
            }
            Self::Time { time, ty } => {
                let field = field(time);
                let of = located(quote!(TimeField), time.span());
                let clock = match ty {
                    Some(ty) => quote!(<#ty as #private::#of>::Clock),
                    None => quote!(#private::LamportClock),
                };
                (clock, quote!(#private::stamp_time(#field, __clock)))
            }
        };
        let body = quote! {
            let #event = self;
            #stamp
        };
        implementation(input, options, &clock, &body)
    }

    /// What stands in for an implementation that cannot be made, so that nothing that stamps gives messages of its own.
    pub(super) fn fallback(input: &DeriveInput, options: &Options) -> TokenStream {
        let private = private(options);
        let clock = match options {
            Options { clock: Some(_), .. } => quote!(#private::VectorClock),
            Options { seq: Some(_), .. } => quote!(#private::LamportProducer),
            Options { time: Some(_), .. } => quote!(#private::LamportClock),
            _ => return TokenStream::new(),
        };
        implementation(input, options, &clock, &quote!(loop {}))
    }
}

fn implementation(
    input: &DeriveInput,
    options: &Options,
    clock: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let private = private(options);
    let name = &input.ident;
    let (impl_generics, generics, conditions) = input.generics.split_for_impl();
    quote! {
        impl #impl_generics #private::StampedEvent for #name #generics #conditions {
            type Clock = #clock;

            #[allow(unused_variables)]
            fn stamp(
                &mut self,
                __clock: &mut Self::Clock,
            ) -> #private::Result<(), #private::InvalidEvent> {
                #body
            }
        }
    }
}

fn value(path: &FieldPath, private: &TokenStream) -> TokenStream {
    path.of("__event", &TokenStream::new(), private)
}

fn name(producer: &FieldPath, options: &Options) -> TokenStream {
    let private = private(options);
    let value = value(producer, &private);
    let named = located(quote!(::named(&#value)), producer.span());
    quote!(#private #named)
}

fn type_of<'a>(fields: &'a Fields, member: &Member) -> Option<&'a Type> {
    let mut all = (0..).zip(fields);
    let field = all.find(|(number, field)| match member {
        Member::Named(name) => field.ident.as_ref() == Some(name),
        Member::Unnamed(index) => index.index == *number,
    });
    field.map(|(_, field)| &field.ty)
}
