//! Commands, on their way to the scripts.

use std::time::Duration;

use bytes::Bytes;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::protocol::{
    Action, Attempt, Command, Event, GapPolicy, Policy, Quota, Verb, WorkerId,
};
use ordered_core::store::bucket_of;

use crate::pack::Packer;

/// A script runs alone on the server, so one call does no more than this; a larger batch becomes several.
const MAX_COMMANDS: usize = 1_000;
const MAX_BYTES: usize = 4 << 20;

/// The commands of a batch for one bucket, or the next part of them.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    /// Where in the batch the commands stand.
    places: Vec<usize>,
    commands: Packer,
    payloads: Vec<Bytes>,
    bytes: usize,
}

impl Portion {
    /// The places, and what `apply.lua` is given.
    pub(crate) fn finish(self, situation: Bytes) -> (Vec<usize>, Vec<Bytes>) {
        let count = u32::try_from(self.places.len()).expect("a portion is small");
        let commands = Packer::default().list(count).append(self.commands).finish();
        let mut arguments = vec![situation, commands];
        arguments.extend(self.payloads);
        (self.places, arguments)
    }

    fn is_full(&self) -> bool {
        self.places.len() >= MAX_COMMANDS || self.bytes >= MAX_BYTES
    }

    /// The commands at these places of a batch, all of one bucket.
    pub(crate) fn of(commands: &[Command], places: impl Iterator<Item = usize>) -> Self {
        let mut portion = Self::default();
        for place in places {
            portion.push(place, &commands[place]);
        }
        portion
    }

    fn push(&mut self, place: usize, command: &Command) {
        self.places.push(place);
        let key = &command.key;
        match &command.action {
            Action::Offer(event) => {
                self.start(4 + count(event.epoch), 1, key).event(event);
                self.maybe(event.epoch);
            }
            Action::Hold(event, envelope) => {
                self.start(6 + count(event.epoch), 2, key).event(event);
                self.payload(envelope).maybe(event.epoch);
            }
            Action::Commit { event, fence, have } => {
                self.start(6, 3, key).event(event);
                self.commands.number(fence.0).number(*have);
            }
            Action::Retry(attempt) => {
                self.start(7, 4, key).attempt(attempt);
            }
            Action::Postpone(attempt, envelope, delay) => {
                self.start(10, 5, key).attempt(attempt).payload(envelope);
                self.commands.millis(*delay);
            }
            Action::Halt(attempt, envelope) => {
                self.start(9, 6, key).attempt(attempt).payload(envelope);
            }
            Action::Release { fence } => {
                self.start(3, 7, key);
                self.commands.number(fence.0);
            }
            Action::Claim => {
                self.start(2, 8, key);
            }
            Action::DeadLetter {
                attempt,
                envelope,
                have,
            } => {
                self.start(10, 9, key).attempt(attempt).payload(envelope);
                self.commands.number(*have);
            }
            Action::Fill { from, to } => {
                self.start(4, 10, key);
                self.commands.number(from.get()).number(to.get());
            }
            Action::Reset { at, epoch } => {
                self.start(3 + count(*epoch), 11, key);
                self.commands.number(at.get());
                self.maybe(*epoch);
            }
            Action::Operate(verb) => self.verb(key, verb),
        }
    }

    fn verb(&mut self, key: &Key, verb: &Verb) {
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
        let body = match verb {
            Verb::Edit { body, .. } => Some(body.clone()),
            _ => None,
        };
        let more = count(argument) + u32::from(body.is_some());
        self.start(3 + more, 12, key);
        self.commands.number(code);
        self.maybe(argument);
        if let Some(body) = body {
            self.append(body);
        }
    }

    /// A number at the end of a command that may be left out.
    fn maybe(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.commands.number(number);
        }
    }

    fn start(&mut self, fields: u32, code: u64, key: &Key) -> &mut Self {
        self.commands.list(fields).number(code).text(key.as_str());
        self
    }

    fn event(&mut self, event: &Event) -> &mut Self {
        self.commands
            .number(event.seq.get())
            .text(event.id.as_str());
        self
    }

    fn attempt(&mut self, attempt: &Attempt) -> &mut Self {
        self.event(&attempt.event);
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
        self.bytes += bytes.len();
        self.payloads.push(bytes);
        self.commands.number(self.payloads.len() as u64);
    }
}

/// Whether a command brings something in, rather than settle what is at work already.
pub(crate) fn takes_in(command: &Command) -> bool {
    matches!(command.action, Action::Offer(_) | Action::Hold(..))
}

/// Parts a batch by bucket, in order. The first round has one portion for each bucket; only for what a single call
/// should not carry there is another.
pub(crate) fn portions(commands: &[Command], buckets: u32) -> Vec<Vec<(u32, Portion)>> {
    let mut by_bucket: Vec<Vec<Portion>> = (0..buckets).map(|_| Vec::new()).collect();
    for (place, command) in commands.iter().enumerate() {
        let bucket = bucket_of(command.key.as_str(), buckets);
        let portions = &mut by_bucket[bucket as usize];
        if portions.last().is_none_or(Portion::is_full) {
            portions.push(Portion::default());
        }
        if let Some(portion) = portions.last_mut() {
            portion.push(place, command);
        }
    }
    let mut rounds = Vec::new();
    for (bucket, portions) in (0..buckets).zip(by_bucket) {
        for (round, portion) in portions.into_iter().enumerate() {
            if rounds.len() == round {
                rounds.push(Vec::new());
            }
            rounds[round].push((bucket, portion));
        }
    }
    rounds
}

/// How many elements it adds to a list.
fn count(argument: Option<u64>) -> u32 {
    u32::from(argument.is_some())
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
) -> Bytes {
    let (on_gap, after) = match policy.on_gap {
        GapPolicy::Wait => (0, Duration::ZERO),
        GapPolicy::Skip { after } => (1, after),
        GapPolicy::Halt { after } => (2, after),
    };
    Packer::default()
        .list(17)
        .text(worker.as_str())
        .number(given_time)
        .number(policy.first_seq.max(1))
        .number(policy.max_attempts.into())
        .millis(policy.dedup_ttl)
        .number(policy.lane_depth.max(1).into())
        .number(policy.next_events.max(1).into())
        .number(policy.next_bytes)
        .number(policy.key_quota.events)
        .number(policy.key_quota.bytes)
        .number(bucket_quota.events)
        .number(bucket_quota.bytes)
        .number(on_gap)
        .millis(after)
        .text(&format!("{after:?}"))
        .number(is_dry.into())
        .text(said)
        .finish()
}
