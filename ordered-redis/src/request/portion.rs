use bytes::Bytes;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::protocol::{Action, Attempt, Command, Event, Fence, Verb};

use super::takes_in;
use super::texts::{Id, Ids, Keys};
use crate::ids::{self, Record};
use crate::pack::Packer;

/// The commands of a batch for one bucket, or the next part of them.
#[derive(Debug)]
pub(crate) struct Portion<'a> {
    /// Where in the batch the commands stand.
    places: Vec<usize>,
    keys: Keys<'a>,
    ids: Ids<'a>,
    /// One after the other in one list, each as many values long as `lua/request.lua` says.
    commands: Packer,
    payloads: Vec<Bytes>,
    /// Where texts are put together.
    packed: Packer,
    bytes: Vec<u8>,
}

/// What a command is about, by its place among the texts.
#[derive(Debug, Clone, Copy, Default)]
struct About {
    key: u32,
    /// None where the command is about no event.
    id: Id,
}

/// The event that a command is about.
fn event(action: &Action) -> Option<&Event> {
    match action {
        Action::Offer(event) | Action::Hold(event, _) | Action::Commit { event, .. } => Some(event),
        Action::Retry(attempt)
        | Action::Postpone(attempt, ..)
        | Action::Halt(attempt, _)
        | Action::DeadLetter { attempt, .. } => Some(&attempt.event),
        Action::Release { .. }
        | Action::Claim
        | Action::Fill { .. }
        | Action::Reset { .. }
        | Action::Operate(_) => None,
    }
}

impl<'a> Portion<'a> {
    /// The places, and what `apply.lua` is given.
    pub(crate) fn finish(self, situation: Bytes) -> (Vec<usize>, Vec<Bytes>) {
        let Self {
            keys,
            ids,
            mut commands,
            ..
        } = self;
        let mut arguments = vec![situation, keys.finish(), ids.finish(), commands.finish()];
        arguments.extend(self.payloads);
        (self.places, arguments)
    }

    /// The commands at these places of a batch, all of one bucket.
    pub(crate) fn of(commands: &'a [Command], places: Vec<usize>) -> Self {
        let count = places.len();
        let mut portion = Self {
            places: Vec::new(),
            keys: Keys::with_room(count),
            ids: Ids::with_room(count),
            commands: Packer::with_room(count * 96),
            payloads: Vec::new(),
            packed: Packer::default(),
            bytes: Vec::new(),
        };
        let mut about = vec![About::default(); count];
        // The ids that are to be looked up come before the others.
        for looked_up in [true, false] {
            for (place, about) in places.iter().zip(&mut about) {
                let command = &commands[*place];
                if takes_in(command) == looked_up {
                    *about = portion.about(command);
                }
            }
            if looked_up {
                portion.ids.end_lookups();
            }
        }
        for (place, about) in places.iter().zip(about) {
            portion.push(&commands[*place], about);
        }
        portion.places = places;
        portion
    }

    fn about(&mut self, command: &'a Command) -> About {
        let name = command.key.as_str();
        let key = self.keys.place(name);
        let id = event(&command.action)
            .map(|event| self.ids.id(key, name, event.id.as_str()))
            .unwrap_or_default();
        About { key, id }
    }

    fn push(&mut self, command: &Command, about: About) {
        let id = about.id;
        match &command.action {
            Action::Offer(event) => {
                self.start(1, about).event(event, id).entry(event, id);
                self.maybe(event.epoch);
            }
            Action::Hold(event, envelope) => {
                self.start(2, about).event(event, id).payload(envelope);
                self.entry(event, id).maybe(event.epoch);
            }
            Action::Commit { event, fence, have } => {
                self.start(3, about).event(event, id);
                self.commands.number(fence.0).number(*have);
                self.record(&command.key, event.seq, id);
                self.mark(event.seq, id);
                self.states(event.seq, *fence);
            }
            Action::Retry(attempt) => {
                self.start(4, about).attempt(attempt, id);
            }
            Action::Postpone(attempt, envelope, delay) => {
                self.start(5, about).attempt(attempt, id).payload(envelope);
                self.commands.millis(*delay);
            }
            Action::Halt(attempt, envelope) => {
                self.start(6, about).attempt(attempt, id).payload(envelope);
            }
            Action::Release { fence } => {
                self.start(7, about);
                self.commands.number(fence.0);
            }
            Action::Claim => {
                self.start(8, about);
            }
            Action::DeadLetter {
                attempt,
                envelope,
                have,
            } => {
                self.start(9, about).attempt(attempt, id).payload(envelope);
                self.commands.number(*have);
            }
            Action::Fill { from, to } => {
                self.start(10, about);
                self.commands.number(from.get()).number(to.get());
            }
            Action::Reset { at, epoch } => {
                self.start(11, about);
                self.commands.number(at.get());
                self.maybe(*epoch);
            }
            Action::Operate(verb) => self.verb(about, verb),
        }
    }

    fn verb(&mut self, about: About, verb: &Verb) {
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
        self.start(12, about);
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

    fn start(&mut self, code: u64, about: About) -> &mut Self {
        self.commands.number(code).number(about.key.into());
        self
    }

    fn event(&mut self, event: &Event, id: Id) -> &mut Self {
        self.commands
            .number(event.seq.get())
            .number(id.place.into());
        self
    }

    /// How a commit of the first numbering is remembered.
    fn record(&mut self, key: &Key, seq: Seq, id: Id) {
        let record = Record::of(seq.get());
        self.bytes.clear();
        record.write_field(key.as_str(), &mut self.bytes);
        self.commands.bytes(&self.bytes);
        self.bytes.clear();
        record.write(ids::body(self.ids.written(id)), &mut self.bytes);
        self.commands.bytes(&self.bytes);
    }

    /// Where the index will say that it is remembered, if it is of the first numbering.
    fn entry(&mut self, event: &Event, id: Id) -> &mut Self {
        let entry = Record::of(event.seq.get()).entry(id.number);
        self.commands.bytes(&entry);
        self
    }

    /// How the event stands in a claim.
    fn mark(&mut self, seq: Seq, id: Id) {
        let mark = self.packed.clear();
        mark.number(seq.get()).bytes(self.ids.written(id));
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

    fn attempt(&mut self, attempt: &Attempt, id: Id) -> &mut Self {
        self.event(&attempt.event, id);
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
