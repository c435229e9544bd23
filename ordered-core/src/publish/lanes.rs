use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{NotPublished, Outgoing};
use crate::event::Key;
use crate::handler::Backoff;
use crate::transport::{TransportError, TransportErrorKind};

/// What decides which events go out together, and when those that failed go out again.
#[derive(Debug, Clone)]
pub(super) struct LaneSettings {
    /// How many events of one key are in one attempt.
    pub(super) per_key: usize,
    /// How many events are in one attempt.
    pub(super) batch: usize,
    pub(super) backoff: Backoff,
    pub(super) give_up_after: Duration,
    /// Whether the events behind one that is reported are reported with it.
    pub(super) fail_key: bool,
}

/// An event with the ticket of whoever waits for it.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) outgoing: Outgoing,
    pub(super) ticket: T,
    enqueued: Instant,
    attempts: u32,
}

impl<T> Entry<T> {
    pub(super) fn new(outgoing: Outgoing, ticket: T, now: Instant) -> Self {
        Self {
            outgoing,
            ticket,
            enqueued: now,
            attempts: 0,
        }
    }
}

/// Which events are in order among each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum LaneId {
    Key(Key),
    /// An event without a key is alone.
    Alone(u64),
}

#[derive(Debug)]
struct Lane<T> {
    queue: VecDeque<Entry<T>>,
    /// Failures in a row, of whichever event was the first.
    failures: u32,
}

/// Events that are in one attempt. Those of one lane stand together.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) events: Vec<Outgoing>,
    in_flight: Vec<InFlight<T>>,
}

#[derive(Debug)]
struct InFlight<T> {
    lane: LaneId,
    ticket: T,
    enqueued: Instant,
    attempts: u32,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Settled<T> {
    /// Those that are confirmed or reported.
    pub(super) done: Vec<(T, Result<(), NotPublished>)>,
    /// Whether the broker has confirmed anything.
    pub(super) any_confirmed: bool,
    /// What goes out again, and why the last one of it does.
    pub(super) again: usize,
    pub(super) retry_error: Option<(TransportErrorKind, String)>,
}

/// The events of each key in their order. An event goes out when all before it are confirmed or reported; so one that
/// has to go out again holds back those behind it.
///
/// Pure: the time comes in.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    settings: LaneSettings,
    random: fastrand::Rng,
    /// Those that have events, or an attempt under way.
    lanes: HashMap<LaneId, Lane<T>>,
    ready: VecDeque<LaneId>,
    /// Those that wait for their next attempt.
    waiting: BTreeMap<(Instant, u64), LaneId>,
    counter: u64,
    /// While the broker takes nothing at all, nothing goes out before this.
    paused_until: Option<Instant>,
    /// How often in a row nothing at all was taken.
    outages: u32,
}

impl<T> Lanes<T> {
    pub(super) fn new(settings: LaneSettings, random: fastrand::Rng) -> Self {
        Self {
            settings,
            random,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            waiting: BTreeMap::new(),
            counter: 0,
            paused_until: None,
            outages: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    pub(super) fn push(&mut self, entry: Entry<T>) {
        let id = match entry.outgoing.key() {
            Some(key) => LaneId::Key(key.clone()),
            None => LaneId::Alone(self.tick()),
        };
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.queue.push_back(entry);
            return;
        }
        let lane = Lane {
            queue: VecDeque::from([entry]),
            failures: 0,
        };
        self.lanes.insert(id.clone(), lane);
        self.ready.push_back(id);
    }

    /// What may go out now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Batch<T>> {
        while let Some(first) = self.waiting.first_entry().filter(|it| it.key().0 <= now) {
            self.ready.push_back(first.remove());
        }
        if self.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        let mut batch = Batch {
            events: Vec::new(),
            in_flight: Vec::new(),
        };
        while let Some(room) = self.settings.batch.checked_sub(batch.events.len())
            && room > 0
            && let Some(id) = self.ready.pop_front()
        {
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            let many = lane.queue.len().min(self.settings.per_key).min(room);
            for entry in lane.queue.drain(..many) {
                batch.events.push(entry.outgoing);
                batch.in_flight.push(InFlight {
                    lane: id.clone(),
                    ticket: entry.ticket,
                    enqueued: entry.enqueued,
                    attempts: entry.attempts + 1,
                });
            }
        }
        (!batch.events.is_empty()).then_some(batch)
    }

    /// When [`take`](Self::take) has something, if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.waiting.first_key_value().map(|((at, _), _)| *at);
        match self.paused_until {
            Some(until) if !self.ready.is_empty() => Some(until),
            Some(until) => waiting.map(|at| at.max(until)),
            None => waiting,
        }
    }

    /// Takes in what happened to the events of an attempt, in their order.
    pub(super) fn settle(
        &mut self,
        batch: Batch<T>,
        outcomes: Vec<Result<(), TransportError>>,
        now: Instant,
    ) -> Settled<T> {
        let mut settled = Settled {
            done: Vec::with_capacity(batch.events.len()),
            any_confirmed: outcomes.iter().any(Result::is_ok),
            again: 0,
            retry_error: None,
        };
        let is_outage = !settled.any_confirmed
            && outcomes.iter().any(|outcome| {
                outcome
                    .as_ref()
                    .is_err_and(|error| error.kind() == TransportErrorKind::Unavailable)
            });
        if settled.any_confirmed {
            (self.outages, self.paused_until) = (0, None);
        } else if is_outage && self.paused_until.is_none_or(|until| until <= now) {
            self.outages = self.outages.saturating_add(1);
            self.paused_until = Some(now + self.wait(self.outages));
        }
        let missing = || {
            Err(TransportError::unavailable(
                "the transport has not said what happened to an event",
            ))
        };
        let mut outcomes = outcomes.into_iter();
        let mut events = batch.events.into_iter().zip(batch.in_flight).peekable();
        while let Some((_, first)) = events.peek() {
            let id = first.lane.clone();
            let mut chunk = Vec::new();
            while let Some((outgoing, in_flight)) =
                events.next_if(|(_, in_flight)| in_flight.lane == id)
            {
                chunk.push((outgoing, in_flight, outcomes.next().unwrap_or_else(missing)));
            }
            self.settle_lane(id, chunk, is_outage, now, &mut settled);
        }
        settled
    }

    fn settle_lane(
        &mut self,
        id: LaneId,
        chunk: Vec<(Outgoing, InFlight<T>, Result<(), TransportError>)>,
        is_outage: bool,
        now: Instant,
        settled: &mut Settled<T>,
    ) {
        let (give_up_after, fail_key) = (self.settings.give_up_after, self.settings.fail_key);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let mut again = Vec::new();
        let (mut reported, mut gave_up) = (false, false);
        for (outgoing, in_flight, outcome) in chunk {
            let InFlight {
                ticket,
                enqueued,
                attempts,
                ..
            } = in_flight;
            let error = match outcome {
                Ok(()) => {
                    lane.failures = 0;
                    settled.done.push((ticket, Ok(())));
                    continue;
                }
                Err(_) if reported && fail_key => {
                    settled.done.push((ticket, Err(NotPublished::held_back())));
                    continue;
                }
                Err(error) => error,
            };
            let tried_for = now.saturating_duration_since(enqueued);
            settled.retry_error = Some((error.kind(), error.to_string()));
            let report = if error.kind() == TransportErrorKind::Fatal {
                NotPublished::refused(error)
            } else if tried_for >= give_up_after {
                gave_up = true;
                NotPublished::gave_up(attempts, tried_for, error)
            } else {
                again.push(Entry {
                    outgoing,
                    ticket,
                    enqueued,
                    attempts,
                });
                continue;
            };
            reported = true;
            settled.done.push((ticket, Err(report)));
        }
        if reported && fail_key {
            let behind = again.drain(..).chain(lane.queue.drain(..));
            let behind = behind.map(|entry| (entry.ticket, Err(NotPublished::held_back())));
            settled.done.extend(behind);
        } else if gave_up {
            // They have waited as long, and would be tried once more each.
            let is_late =
                |entry: &Entry<T>| now.saturating_duration_since(entry.enqueued) >= give_up_after;
            while lane.queue.front().is_some_and(is_late)
                && let Some(entry) = lane.queue.pop_front()
            {
                let error = TransportError::unavailable("the events before it were not confirmed");
                let tried_for = now.saturating_duration_since(entry.enqueued);
                let report = NotPublished::gave_up(entry.attempts, tried_for, error);
                settled.done.push((entry.ticket, Err(report)));
            }
        }
        settled.again += again.len();
        let failed = !again.is_empty();
        for entry in again.into_iter().rev() {
            lane.queue.push_front(entry);
        }
        if lane.queue.is_empty() {
            self.lanes.remove(&id);
            return;
        }
        if !failed || is_outage {
            self.ready.push_back(id);
            return;
        }
        lane.failures = lane.failures.saturating_add(1);
        let failures = lane.failures;
        let at = now + self.wait(failures);
        let place = (at, self.tick());
        self.waiting.insert(place, id);
    }

    /// At least half of what the backoff allows: nothing is gained by hurrying.
    fn wait(&mut self, failures: u32) -> Duration {
        let backoff = &self.settings.backoff;
        backoff.bound(failures) / 2 + backoff.wait(failures, &mut self.random) / 2
    }

    fn tick(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

#[cfg(test)]
mod tests;
