//! Commands, on their way to the scripts.

use bytes::Bytes;
use ordered_core::event::{Envelope, Key};
use ordered_core::protocol::{Action, Attempt, Command, Event, Policy, Quota, WorkerId};
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

    fn push(&mut self, place: usize, command: &Command) {
        self.places.push(place);
        let key = &command.key;
        match &command.action {
            Action::Offer(event) => {
                self.start(4, 1, key).event(event);
            }
            Action::Hold(event, envelope) => {
                self.start(6, 2, key).event(event).payload(envelope);
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
        let encoded = envelope.encode();
        self.bytes += encoded.len();
        self.payloads.push(encoded);
        self.commands
            .number(envelope.size())
            .number(self.payloads.len() as u64);
        self
    }
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

/// Who asks, when, and by which rules; a time of 0 is the server's own.
pub(crate) fn situation(
    policy: &Policy,
    bucket_quota: Quota,
    worker: &WorkerId,
    given_time: u64,
) -> Bytes {
    Packer::default()
        .list(12)
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
        .finish()
}
