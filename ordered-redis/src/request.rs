//! Commands, on their way to the scripts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::protocol::{
    Action, Attempt, Command, Event, Fence, GapPolicy, Policy, Quota, Verb, WorkerId,
};
use ordered_core::store::bucket_of;

use crate::ids::{self, Record};
use crate::pack::Packer;

/// A script runs alone on the server, so one call does no more than this; a larger batch becomes several. And it puts what it is
/// given on its stack, which takes some 8,000 values (`LUAI_MAXCSTACK`): up to eleven for each command.
const MAX_COMMANDS: usize = 500;
const MAX_BYTES: u64 = 4 << 20;

/// The commands of a batch for one bucket, or the next part of them.
#[derive(Debug, Default)]
pub(crate) struct Portion<'a> {
    /// Where in the batch the commands stand.
    places: Vec<usize>,
    names: Named<'a>,
    ids: Ids<'a>,
    /// One after the other in one list, each as many values long as `lua/request.lua` says.
    commands: Packer,
    payloads: Vec<Bytes>,
    /// Where texts are put together.
    scratch: String,
    packed: Packer,
    bytes: Vec<u8>,
}

/// Texts that are sent once each, and after that named by their place.
#[derive(Debug, Default)]
struct Named<'a> {
    places: HashMap<(&'a str, &'a str), u64>,
    texts: Packer,
}

impl<'a> Named<'a> {
    /// The place of what this key and id make, from 1.
    fn place(&mut self, key: &'a str, id: &'a str, write: impl FnOnce(&mut Packer)) -> u64 {
        let next = u64::from(self.len()) + 1;
        match self.places.entry((key, id)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(fresh) => {
                write(&mut self.texts);
                *fresh.insert(next)
            }
        }
    }

    fn len(&self) -> u32 {
        u32::try_from(self.places.len()).expect("a portion is small")
    }
}

/// The ids, and what is said of each beside it.
#[derive(Debug, Default)]
struct Ids<'a> {
    named: Named<'a>,
    /// The places of their keys.
    owners: Packer,
    numbers: Packer,
    /// Of those that are to be looked up.
    prints: Packer,
    /// How many that is, the first of them; not known yet while they are written.
    looked_up: Option<u32>,
}

impl<'a> Ids<'a> {
    fn place(&mut self, owner: u64, key: &'a str, id: &'a str, scratch: &mut Vec<u8>) -> u64 {
        let Self {
            named,
            owners,
            numbers,
            prints,
            looked_up,
        } = self;
        named.place(key, id, |texts| {
            let number = ids::number(key, id);
            scratch.clear();
            ids::write(number, id, scratch);
            texts.bytes(scratch);
            owners.number(owner);
            numbers.number(number.into());
            if looked_up.is_none() {
                prints.bytes(&ids::print(number));
            }
        })
    }

    fn finish(self) -> Bytes {
        let (count, looked_up) = (self.named.len(), self.looked_up.unwrap_or_default());
        let mut out = Packer::default();
        out.list(count).append(self.named.texts);
        out.list(count).append(self.owners);
        out.list(count).append(self.numbers);
        out.list(looked_up).append(self.prints);
        out.number(looked_up.into()).finish()
    }
}

impl<'a> Portion<'a> {
    /// The places, and what `apply.lua` is given.
    pub(crate) fn finish(self, situation: Bytes) -> (Vec<usize>, Vec<Bytes>) {
        let Self {
            mut names,
            ids,
            mut commands,
            ..
        } = self;
        let mut arguments = vec![
            situation,
            names.texts.finish(),
            ids.finish(),
            commands.finish(),
        ];
        arguments.extend(self.payloads);
        (self.places, arguments)
    }

    /// The commands at these places of a batch, all of one bucket.
    pub(crate) fn of(commands: &'a [Command], places: Vec<usize>) -> Self {
        let mut portion = Self::default();
        for command in places.iter().map(|place| &commands[*place]) {
            if let Action::Offer(event) | Action::Hold(event, _) = &command.action {
                portion.id(&command.key, event);
            }
        }
        portion.ids.looked_up = Some(portion.ids.named.len());
        for place in &places {
            portion.push(&commands[*place]);
        }
        portion.places = places;
        portion
    }

    fn push(&mut self, command: &'a Command) {
        let key = &command.key;
        match &command.action {
            Action::Offer(event) => {
                self.start(1, key).event(key, event);
                self.entry(key, event).maybe(event.epoch);
            }
            Action::Hold(event, envelope) => {
                self.start(2, key).event(key, event).payload(envelope);
                self.entry(key, event).maybe(event.epoch);
            }
            Action::Commit { event, fence, have } => {
                self.start(3, key).event(key, event);
                self.commands.number(fence.0).number(*have);
                self.record(key, event);
                self.mark(key, event);
                self.states(event.seq, *fence);
            }
            Action::Retry(attempt) => {
                self.start(4, key).attempt(key, attempt);
            }
            Action::Postpone(attempt, envelope, delay) => {
                self.start(5, key).attempt(key, attempt).payload(envelope);
                self.commands.millis(*delay);
            }
            Action::Halt(attempt, envelope) => {
                self.start(6, key).attempt(key, attempt).payload(envelope);
            }
            Action::Release { fence } => {
                self.start(7, key);
                self.commands.number(fence.0);
            }
            Action::Claim => {
                self.start(8, key);
            }
            Action::DeadLetter {
                attempt,
                envelope,
                have,
            } => {
                self.start(9, key).attempt(key, attempt).payload(envelope);
                self.commands.number(*have);
            }
            Action::Fill { from, to } => {
                self.start(10, key);
                self.commands.number(from.get()).number(to.get());
            }
            Action::Reset { at, epoch } => {
                self.start(11, key);
                self.commands.number(at.get());
                self.maybe(*epoch);
            }
            Action::Operate(verb) => self.verb(key, verb),
        }
    }

    fn verb(&mut self, key: &'a Key, verb: &Verb) {
        let (code, argument) = match verb {
            Verb::Retry => (1, None),
            Verb::Skip { to } => (2, to.map(Seq::get)),
            Verb::Discard { seq } => (3, Some(seq.get())),
            Verb::Edit { seq, .. } => (4, Some(seq.get())),
            Verb::SetLast { to } => (5, Some((*to).min(Seq::MAX.get()))),
            Verb::Pause => (6, None),
            Verb::Resume => (7, None),
            Verb::Replay { seq } => (8, seq.map(Seq::get)),
        };
        self.start(12, key);
        self.commands.number(code);
        self.maybe(argument);
        match verb {
            Verb::Edit { body, .. } => self.append(body.clone()),
            _ => self.maybe(None),
        }
    }

    fn maybe(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.commands.number(number),
            None => self.commands.none(),
        };
    }

    fn start(&mut self, code: u64, key: &'a Key) -> &mut Self {
        let place = self.name(key);
        self.commands.number(code).number(place);
        self
    }

    fn name(&mut self, key: &'a Key) -> u64 {
        let name = key.as_str();
        self.names.place(name, "", |names| {
            names.text(name);
        })
    }

    fn event(&mut self, key: &'a Key, event: &'a Event) -> &mut Self {
        let place = self.id(key, event);
        self.commands.number(event.seq.get()).number(place);
        self
    }

    /// The place of an id.
    fn id(&mut self, key: &'a Key, event: &'a Event) -> u64 {
        let owner = self.name(key);
        let (name, id) = (key.as_str(), event.id.as_str());
        self.ids.place(owner, name, id, &mut self.bytes)
    }

    /// How a commit of the first numbering is remembered.
    fn record(&mut self, key: &Key, event: &Event) {
        let record = Record::of(event.seq.get());
        self.scratch.clear();
        // A `String` takes everything.
        let _ = write!(self.scratch, "{}:{}", record.chunk(), key.as_str());
        self.bytes.clear();
        record.write(event.id.as_str(), &mut self.bytes);
        self.commands.text(&self.scratch).bytes(&self.bytes);
    }

    /// Where the index will say that it is remembered, if it is of the first numbering.
    fn entry(&mut self, key: &Key, event: &Event) -> &mut Self {
        let number = ids::number(key.as_str(), event.id.as_str());
        let entry = Record::of(event.seq.get()).entry(number);
        self.commands.bytes(&entry);
        self
    }

    /// How the event stands in a claim.
    fn mark(&mut self, key: &Key, event: &Event) {
        let number = ids::number(key.as_str(), event.id.as_str());
        self.bytes.clear();
        ids::write(number, event.id.as_str(), &mut self.bytes);
        let mark = self.packed.clear();
        mark.number(event.seq.get()).bytes(&self.bytes);
        self.commands.bytes(mark.as_slice());
    }

    /// The state of a key with which nothing is the matter: while this event is at work for the first time, and at rest after it.
    fn states(&mut self, seq: Seq, fence: Fence) {
        let state = self.packed.clear();
        state.number(seq.get() - 1).number(fence.0).number(1);
        self.commands.bytes(state.as_slice());
        state.clear().number(seq.get()).number(fence.0);
        self.commands.bytes(state.as_slice());
    }

    fn attempt(&mut self, key: &'a Key, attempt: &'a Attempt) -> &mut Self {
        self.event(key, &attempt.event);
        self.commands
            .number(attempt.fence.0)
            .number(attempt.number.into())
            .text(&attempt.error);
        self
    }

    /// Its size, and which of the payloads behind the commands it is.
    fn payload(&mut self, envelope: &Envelope) -> &mut Self {
        self.commands.number(envelope.size());
        self.append(envelope.encode());
        self
    }

    /// Bytes that travel beside the commands, and their place among those.
    fn append(&mut self, bytes: Bytes) {
        self.payloads.push(bytes);
        self.commands.number(self.payloads.len() as u64);
    }
}

/// Whether a command brings something in, rather than settle what is at work already.
pub(crate) fn takes_in(command: &Command) -> bool {
    matches!(command.action, Action::Offer(_) | Action::Hold(..))
}

/// The commands of one bucket, or the next part of them, by their places in the batch.
#[derive(Debug, Default)]
struct Part {
    places: Vec<usize>,
    bytes: u64,
}

impl Part {
    fn is_full(&self) -> bool {
        self.places.len() >= MAX_COMMANDS || self.bytes >= MAX_BYTES
    }
}

/// What a command carries beside itself.
fn carried(command: &Command) -> u64 {
    match &command.action {
        Action::Hold(_, envelope)
        | Action::Postpone(_, envelope, _)
        | Action::Halt(_, envelope)
        | Action::DeadLetter { envelope, .. } => envelope.size(),
        Action::Operate(Verb::Edit { body, .. }) => body.len() as u64,
        _ => 0,
    }
}

/// Parts a batch by bucket, in order. The first round has one portion for each bucket; only for what a single call
/// should not carry there is another.
pub(crate) fn portions(commands: &[Command], buckets: u32) -> Vec<Vec<(u32, Portion<'_>)>> {
    let mut by_bucket: Vec<Vec<Part>> = (0..buckets).map(|_| Vec::new()).collect();
    for (place, command) in commands.iter().enumerate() {
        let bucket = bucket_of(command.key.as_str(), buckets);
        let parts = &mut by_bucket[bucket as usize];
        if parts.last().is_none_or(Part::is_full) {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            part.places.push(place);
            part.bytes += carried(command);
        }
    }
    let mut rounds = Vec::new();
    for (bucket, parts) in (0..buckets).zip(by_bucket) {
        for (round, part) in parts.into_iter().enumerate() {
            if rounds.len() == round {
                rounds.push(Vec::new());
            }
            rounds[round].push((bucket, Portion::of(commands, part.places)));
        }
    }
    rounds
}

/// Who asks, when, and by which rules; a time of 0 is the server's own. A dry run writes nothing. What is said goes to the
/// log of what operators did.
pub(crate) fn situation(
    policy: &Policy,
    bucket_quota: Quota,
    worker: &WorkerId,
    given_time: u64,
    is_dry: bool,
    said: &str,
    (run, call): (&str, u64),
) -> Bytes {
    let (on_gap, after) = match policy.on_gap {
        GapPolicy::Wait => (0, Duration::ZERO),
        GapPolicy::Skip { after } => (1, after),
        GapPolicy::Halt { after } => (2, after),
    };
    Packer::default()
        .text(worker.as_str())
        .number(given_time)
        .number(is_dry.into())
        .text(run)
        .number(call)
        .number(policy.first_seq.max(1))
        .number(policy.max_attempts.into())
        .number(policy.lane_depth.max(1).into())
        .millis(policy.dedup_ttl)
        .number(policy.next_events.max(1).into())
        .number(policy.next_bytes)
        .number(policy.key_quota.events)
        .number(policy.key_quota.bytes)
        .number(bucket_quota.events)
        .number(bucket_quota.bytes)
        .number(on_gap)
        .millis(after)
        .text(&format!("{after:?}"))
        .text(said)
        .finish()
}
