use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token, TypePath};

use crate::choices::{Envelope, OnExhausted, OnGap, OnPassed, OnRepeat, OnStateLoss, Order, Start};
use crate::errors::Errors;
use crate::field::FieldPath;
use crate::key_path::KeyPath;
use crate::{suggest, value};

/// Every option, with an example of its use.
const OPTIONS: [(&str, &str); 40] = [
    ("key", "key = \"order_id\""),
    ("seq", "seq = \"seq\""),
    ("id", "id = \"event_id\""),
    ("envelope", "envelope = \"cloudevents\""),
    ("decode", "decode = \"MessagePack\""),
    ("group", "group = \"billing\""),
    ("on", "on = \"OrderCreated\""),
    ("event_type", "event_type = \"header:x-event-type\""),
    ("order", "order = \"arrival\""),
    ("coalesce", "coalesce = true"),
    ("producer", "producer = \"author\""),
    ("clock", "clock = \"vector\""),
    ("time", "time = \"time\""),
    ("max_producers", "max_producers = 64"),
    ("producer_lease", "producer_lease = \"1m\""),
    ("max_delay", "max_delay = \"5s\""),
    ("timeout", "timeout = \"30s\""),
    ("backoff", "backoff = \"100ms\""),
    ("max_backoff", "max_backoff = \"10s\""),
    ("give_up_after", "give_up_after = \"1h\""),
    ("max_attempts", "max_attempts = 5"),
    ("max_crashes", "max_crashes = 5"),
    ("lane_backoff", "lane_backoff = \"250ms\""),
    ("on_exhausted", "on_exhausted = \"halt\""),
    ("on_state_loss", "on_state_loss = \"stop\""),
    ("on_gap", "on_gap = \"skip\""),
    ("gap_timeout", "gap_timeout = \"30s\""),
    ("on_late", "on_late = \"drop\""),
    ("on_stale", "on_stale = \"drop\""),
    ("on_repeat", "on_repeat = \"conflict\""),
    ("stuck_after", "stuck_after = \"1m\""),
    ("dedup_ttl", "dedup_ttl = \"24h\""),
    ("max_held", "max_held = 10_000"),
    ("lane_depth", "lane_depth = 32"),
    ("batch", "batch = 100"),
    ("commit_window", "commit_window = 32"),
    ("first_seq", "first_seq = 1"),
    ("start", "start = \"first_seen\""),
    ("settle", "settle = \"10s\""),
    ("crate", "crate = \"my_crate::ordered_events\""),
];

/// The value of `id` that makes it of the bytes of the body.
const ID_OF_BODY: &str = "digest:body";

const MAX_SEQ: u64 = (1 << 53) - 1;

/// As in `ordered_core::handler`.
const MAX_RUN_AHEAD: u64 = 1_000;

/// The options of the attribute, as far as they were given and could be read.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) key: Option<KeyPath>,
    pub(crate) seq: Option<FieldPath>,
    pub(crate) id: Option<FieldPath>,
    /// The id is made of the bytes of the body.
    pub(crate) id_of_body: bool,
    pub(crate) order: Option<Order>,
    pub(crate) coalesce: Option<bool>,
    pub(crate) producer: Option<FieldPath>,
    pub(crate) clock: Option<FieldPath>,
    pub(crate) time: Option<FieldPath>,
    pub(crate) max_producers: Option<u64>,
    pub(crate) producer_lease: Option<Duration>,
    pub(crate) max_delay: Option<Duration>,
    pub(crate) envelope: Option<Envelope>,
    /// What reads the body, where it is not JSON.
    pub(crate) decode: Option<TypePath>,
    pub(crate) group: Option<LitStr>,
    /// The types of the events that it handles.
    pub(crate) on: Option<Vec<LitStr>>,
    /// Where an event says its type.
    pub(crate) event_type: Option<FieldPath>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Duration>,
    pub(crate) max_backoff: Option<Duration>,
    /// `Some(None)` is `"never"`.
    pub(crate) give_up_after: Option<Option<Duration>>,
    pub(crate) max_attempts: Option<u64>,
    pub(crate) max_crashes: Option<u64>,
    pub(crate) lane_backoff: Option<Duration>,
    pub(crate) on_exhausted: Option<OnExhausted>,
    pub(crate) on_state_loss: Option<OnStateLoss>,
    pub(crate) on_gap: Option<OnGap>,
    pub(crate) gap_timeout: Option<Duration>,
    pub(crate) on_late: Option<OnPassed>,
    pub(crate) on_stale: Option<OnPassed>,
    pub(crate) on_repeat: Option<OnRepeat>,
    pub(crate) stuck_after: Option<Duration>,
    pub(crate) dedup_ttl: Option<Duration>,
    pub(crate) max_held: Option<u64>,
    pub(crate) lane_depth: Option<u64>,
    pub(crate) batch: Option<u64>,
    pub(crate) commit_window: Option<u64>,
    pub(crate) first_seq: Option<u64>,
    pub(crate) start: Option<Start>,
    pub(crate) settle: Option<Duration>,
    pub(crate) crate_path: Option<Path>,
    /// Something was written that may have been meant as one of the options.
    pub(crate) garbled: bool,
    given: Vec<(&'static str, Setting)>,
}

/// Where an event says who sent it, and what that one knew.
pub(crate) enum Stamp<'a> {
    Causal {
        producer: &'a FieldPath,
        clock: &'a FieldPath,
    },
    Lamport {
        producer: &'a FieldPath,
        seq: &'a FieldPath,
        time: &'a FieldPath,
    },
}

/// `name = value`, or what was written of it.
pub(crate) struct Setting {
    pub(crate) name: Ident,
    pub(crate) value: Option<Expr>,
    /// How the option is written.
    pub(crate) example: &'static str,
}

impl Parse for Setting {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option: {}", all())));
        }
        let name = input.call(Ident::parse_any)?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            if input.is_empty() || input.peek(Token![,]) {
                return Err(input.error(format!("expected a value, as in `{}`", example(&name))));
            }
            Some(input.parse()?)
        } else if input.is_empty() || input.peek(Token![,]) {
            None
        } else {
            return Err(input.error(format!("expected `=`, as in `{}`", example(&name))));
        };
        Ok(Self {
            example: example(&name),
            name,
            value,
        })
    }
}

impl Options {
    /// The setting that gave this option.
    pub(crate) fn setting(&self, name: &str) -> Option<&Setting> {
        self.given
            .iter()
            .find_map(|(given, setting)| (*given == name).then_some(setting))
    }

    /// Adds what the envelope says where the options do not: a CloudEvent has a subject and a sequence.
    pub(crate) fn complete(&mut self) {
        if self.envelope != Some(Envelope::CloudEvents) {
            return;
        }
        let place = |pointer| FieldPath::parse(&LitStr::new(pointer, Span::call_site())).ok();
        if self.setting("key").is_none() {
            self.key = place("/subject").map(KeyPath::from);
        }
        if self.setting("seq").is_none() && !self.has_no_seq() {
            self.seq = place("/sequence");
        }
    }

    /// Whether events have no number.
    pub(crate) fn has_no_seq(&self) -> bool {
        matches!(self.order, Some(Order::Arrival | Order::Causal))
    }

    /// Whether events say who sent them.
    pub(crate) fn has_producers(&self) -> bool {
        matches!(self.order, Some(Order::Lamport | Order::Causal))
    }

    /// The places that are named: of the key, with all its parts, of the seq and of the id.
    pub(crate) fn places(&self) -> impl Iterator<Item = &FieldPath> {
        let key = self.key.iter().flat_map(|key| key.parts());
        key.chain(&self.seq).chain(&self.id)
    }

    /// The places of who sent an event, and of what that one knew: a clock, or a seq with a time.
    pub(crate) fn stamp(&self) -> Option<Stamp<'_>> {
        let producer = self.producer.as_ref()?;
        Some(match self.order? {
            Order::Causal => Stamp::Causal {
                producer,
                clock: self.clock.as_ref()?,
            },
            Order::Lamport => Stamp::Lamport {
                producer,
                seq: self.seq.as_ref()?,
                time: self.time.as_ref()?,
            },
            _ => return None,
        })
    }

    /// Whether the handler takes several events together, or was meant to.
    pub(crate) fn is_batch(&self) -> bool {
        self.setting("batch").is_some()
    }

    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let settings = Punctuated::<Setting, Token![,]>::parse_terminated.parse2(tokens);
        match errors.keep(settings) {
            Some(settings) => {
                for setting in settings {
                    options.add(setting, errors);
                }
            }
            None => options.garbled = true,
        }
        options
    }

    fn add(&mut self, setting: Setting, errors: &mut Errors) {
        let given = setting.name.to_string();
        let Some((name, _)) = OPTIONS.iter().find(|(name, _)| *name == given) else {
            self.garbled = true;
            let hint = suggest::closest(&given, OPTIONS.iter().map(|(name, _)| *name))
                .map(|name| format!(", did you mean `{name}`?"))
                .unwrap_or_default();
            errors.at(
                &setting.name,
                format!("unknown option `{given}`{hint}\n{}", all()),
            );
            return;
        };
        if self.setting(name).is_some() {
            errors.at(&setting.name, format!("`{name}` is given twice"));
            return;
        }
        let read = self.read(name, &setting);
        errors.keep(read);
        self.given.push((name, setting));
    }

    fn read(&mut self, name: &str, setting: &Setting) -> syn::Result<()> {
        const U32: u64 = u32::MAX as u64;
        match name {
            "key" => self.key = Some(KeyPath::parse(setting)?),
            "seq" => self.seq = Some(value::field(setting)?),
            "id" if value::is_text(setting, ID_OF_BODY) => self.id_of_body = true,
            "id" => self.id = Some(value::field(setting)?),
            "order" => self.order = Some(value::choice(setting, &Order::WORDS)?),
            "producer" => self.producer = Some(value::field(setting)?),
            "clock" => self.clock = Some(value::field(setting)?),
            "time" => self.time = Some(value::field(setting)?),
            "producer_lease" => self.producer_lease = Some(value::duration(setting)?),
            "max_delay" => self.max_delay = Some(value::duration(setting)?),
            "max_producers" => self.max_producers = Some(value::integer(setting, 1..=U32)?),
            "coalesce" => self.coalesce = Some(value::yes_or_no(setting)?),
            "envelope" => self.envelope = Some(value::choice(setting, &Envelope::WORDS)?),
            "decode" => self.decode = Some(value::type_path(setting)?),
            "group" => self.group = Some(value::text(setting)?),
            "on" => self.on = Some(value::texts(setting)?),
            "event_type" => self.event_type = Some(value::outside(setting)?),
            "timeout" => self.timeout = Some(value::duration(setting)?),
            "backoff" => self.backoff = Some(value::duration(setting)?),
            "max_backoff" => self.max_backoff = Some(value::duration(setting)?),
            "give_up_after" => self.give_up_after = Some(value::duration_or_never(setting)?),
            "max_attempts" => self.max_attempts = Some(value::integer(setting, 1..=U32)?),
            "max_crashes" => self.max_crashes = Some(value::integer(setting, 1..=U32)?),
            "lane_backoff" => self.lane_backoff = Some(value::duration(setting)?),
            "on_exhausted" => {
                self.on_exhausted = Some(value::choice(setting, &OnExhausted::WORDS)?)
            }
            "on_state_loss" => {
                self.on_state_loss = Some(value::choice(setting, &OnStateLoss::WORDS)?)
            }
            "on_gap" => self.on_gap = Some(value::choice(setting, &OnGap::WORDS)?),
            "gap_timeout" => self.gap_timeout = Some(value::duration(setting)?),
            "on_late" => self.on_late = Some(value::choice(setting, &OnPassed::WORDS)?),
            "on_stale" => self.on_stale = Some(value::choice(setting, &OnPassed::WORDS)?),
            "on_repeat" => self.on_repeat = Some(value::choice(setting, &OnRepeat::WORDS)?),
            "stuck_after" => self.stuck_after = Some(value::duration(setting)?),
            "dedup_ttl" => self.dedup_ttl = Some(value::duration(setting)?),
            "max_held" => self.max_held = Some(value::integer(setting, 1..=MAX_SEQ)?),
            "lane_depth" => self.lane_depth = Some(value::integer(setting, 1..=U32)?),
            "batch" => self.batch = Some(value::integer(setting, 1..=MAX_RUN_AHEAD)?),
            "commit_window" => {
                self.commit_window = Some(value::integer(setting, 0..=MAX_RUN_AHEAD)?);
            }
            "first_seq" => self.first_seq = Some(value::integer(setting, 0..=MAX_SEQ)?),
            "start" => self.start = Some(value::choice(setting, &Start::WORDS)?),
            "settle" => self.settle = Some(value::duration(setting)?),
            "crate" => self.crate_path = Some(value::path(setting)?),
            _ => unreachable!("`{name}` is in OPTIONS, and has no place in Options"),
        }
        Ok(())
    }
}

fn all() -> String {
    format!(
        "the options are {}",
        OPTIONS.map(|(name, _)| format!("`{name}`")).join(", ")
    )
}

fn example(name: &Ident) -> &'static str {
    OPTIONS
        .iter()
        .find(|(option, _)| name == option)
        .map_or("key = \"order_id\"", |(_, example)| example)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn every_option_can_be_given_as_its_example_says() {
        let examples: Vec<TokenStream> = OPTIONS
            .iter()
            .map(|(_, example)| example.parse().unwrap())
            .collect();
        let mut errors = Errors::default();
        let options = Options::parse(quote!(#(#examples),*), &mut errors);
        assert_eq!(errors.messages(), [""; 0]);
        assert_eq!(options.given.len(), OPTIONS.len());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mut errors = Errors::default();
        let tokens = quote!(kee = "a", seq = 5, timeout = "1", seq = "b", group);
        Options::parse(tokens, &mut errors);
        assert_eq!(errors.messages().len(), 5, "{:?}", errors.messages());
    }
}
