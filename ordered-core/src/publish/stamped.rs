//! Events that are stamped with a clock of their producer.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use super::InvalidEvent;
use super::event::invalid_event;
use crate::clock::wall_clock;
use crate::handler::{ClockValue, SeqValue};
use crate::logical::{HybridClock, HybridTime, LamportClock, LamportProducer, VectorClock};
use crate::protocol::Stamp;

/// An event with fields for what the clock of its producer says: a struct with `#[derive(OrderedEvent)]` (of
/// `ordered-events`), and with `clock` or `time` among its options.
///
/// | options | the clock | what it writes |
/// |---|---|---|
/// | `producer = "author", clock = "vector"` | [`VectorClock`] | `vector`, with one more event of `author` (`order = "causal"`) |
/// | `producer = "branch", seq = "seq", time = "time"` | [`LamportProducer`] | `seq` and `time` (`order = "lamport"`) |
/// | `time = "time"`, an integer | [`LamportClock`] | `time` |
/// | `time = "time"`, a [`HybridTime`] | [`HybridClock`], with the wall clock of this machine | `time` |
///
/// Before it stamps, a producer takes over what it has read of others: `merge` of the vector clock, `receive` of the
/// others; in a handler with [`Context::clock`](crate::handler::Context::clock).
///
/// Vector clocks and seqs count, and a count that no event has is a gap. So stamp with a copy of the clock, and keep
/// the copy once the event is published:
///
/// ```
/// # use ordered_core::logical::VectorClock;
/// # use ordered_core::publish::StampedEvent;
/// async fn send<E: StampedEvent<Clock = VectorClock>>(
///     event: &mut E,
///     clock: &mut VectorClock,
///     publish: impl AsyncFnOnce(&E) -> Result<(), Box<dyn std::error::Error>>,
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let mut next = clock.clone();
///     event.stamp(&mut next)?;
///     publish(event).await?;
///     *clock = next;
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no fields for what a clock says",
    note = "name them among the options of `#[derive(OrderedEvent)]`: `producer = \"author\", clock = \"vector\"`; \
            `producer = \"branch\", seq = \"seq\", time = \"time\"`; or `time = \"time\"`"
)]
pub trait StampedEvent {
    /// The clock.
    type Clock;

    /// Takes the clock one event further, and writes what it says to the fields of the event.
    ///
    /// # Errors
    /// When no consumer would take such an event: the name of the producer is empty or too long, the vector clock would
    /// have too many producers, a number does not fit. The clock is left as it was then.
    fn stamp(&mut self, clock: &mut Self::Clock) -> Result<(), InvalidEvent>;
}

/// A field that can take a vector clock.
#[diagnostic::on_unimplemented(
    message = "the clock of an event must say how many events of each producer it follows, and a `{Self}` does not",
    label = "not a vector clock",
    note = "allowed are `VectorClock`, and maps from the names of producers to counts (`BTreeMap<String, u64>`, \
            `HashMap<String, u64>`)"
)]
#[doc(hidden)]
pub trait ClockField: ClockValue {
    fn set_clock(&mut self, clock: VectorClock);
}

impl ClockField for VectorClock {
    fn set_clock(&mut self, clock: VectorClock) {
        *self = clock;
    }
}

impl ClockField for BTreeMap<String, u64> {
    fn set_clock(&mut self, clock: VectorClock) {
        *self = clock.into();
    }
}

impl<S: BuildHasher> ClockField for HashMap<String, u64, S> {
    fn set_clock(&mut self, clock: VectorClock) {
        self.clear();
        self.extend(BTreeMap::from(clock));
    }
}

/// A field that can take a seq or a time that is a number.
#[diagnostic::on_unimplemented(
    message = "the seq and the time of an event are whole numbers, and a `{Self}` is none",
    label = "not an integer of 32 bits or more",
    note = "allowed are `u32`, `u64`, `i32` and `i64`"
)]
#[doc(hidden)]
pub trait NumberField: SeqValue {
    fn set_number(&mut self, number: u64) -> Result<(), InvalidEvent>;
}

/// A field that can take the time of a clock.
#[diagnostic::on_unimplemented(
    message = "the time of an event is a whole number or a `HybridTime`, and a `{Self}` is neither",
    label = "not the time of a clock",
    note = "allowed are `u32`, `u64`, `i32` and `i64`, for a `LamportClock`, and `HybridTime`, for a `HybridClock`"
)]
#[doc(hidden)]
pub trait TimeField {
    type Clock: Clone;

    fn set_time(&mut self, clock: &mut Self::Clock) -> Result<(), InvalidEvent>;
}

macro_rules! number_fields {
    ($($number:ty)*) => {$(
        impl NumberField for $number {
            fn set_number(&mut self, number: u64) -> Result<(), InvalidEvent> {
                *self = Self::try_from(number).map_err(|_| {
                    invalid_event(format!(
                        "{number} does not fit into the field of the event, a `{}`: make it a `u64`",
                        stringify!($number)
                    ))
                })?;
                Ok(())
            }
        }

        impl TimeField for $number {
            type Clock = LamportClock;

            fn set_time(&mut self, clock: &mut LamportClock) -> Result<(), InvalidEvent> {
                self.set_number(clock.send())
            }
        }
    )*};
}

number_fields!(u32 u64 i32 i64);

impl TimeField for HybridTime {
    type Clock = HybridClock;

    fn set_time(&mut self, clock: &mut HybridClock) -> Result<(), InvalidEvent> {
        *self = clock.send(wall_clock());
        Ok(())
    }
}

/// For the derive: an event with a vector clock.
#[doc(hidden)]
pub fn stamp_causal(
    producer: &str,
    field: &mut impl ClockField,
    clock: &mut VectorClock,
) -> Result<(), InvalidEvent> {
    let mut next = clock.clone();
    let sent = next.send(producer).map_err(invalid_event)?;
    Stamp::causal(producer, sent.clone()).map_err(invalid_event)?;
    field.set_clock(sent);
    *clock = next;
    Ok(())
}

/// For the derive: an event with a seq and a Lamport time.
#[doc(hidden)]
pub fn stamp_lamport(
    name: &str,
    set: impl FnOnce(u64, u64) -> Result<(), InvalidEvent>,
    producer: &mut LamportProducer,
) -> Result<(), InvalidEvent> {
    let mut next = *producer;
    let (seq, time) = next.send();
    Stamp::lamport(name, seq, time).map_err(invalid_event)?;
    set(seq, time)?;
    *producer = next;
    Ok(())
}

/// For the derive: an event with nothing but a time.
#[doc(hidden)]
pub fn stamp_time<T: TimeField>(field: &mut T, clock: &mut T::Clock) -> Result<(), InvalidEvent> {
    let mut next = clock.clone();
    field.set_time(&mut next)?;
    *clock = next;
    Ok(())
}

const STAMP_FIRST: &str = "call `stamp` with the clock of its producer before you publish it";

/// For the derive: whether a consumer takes the event with this vector clock.
#[doc(hidden)]
pub fn check_causal(producer: String, clock: &impl ClockField) -> Result<(), InvalidEvent> {
    let clock = clock.to_clock().map_err(invalid_event)?;
    let stamp = Stamp::causal(producer, clock);
    stamp
        .map(drop)
        .map_err(|error| invalid_event(format!("{error}. {STAMP_FIRST}")))
}

/// For the derive: whether a consumer takes the event with this seq and this time.
#[doc(hidden)]
pub fn check_lamport(
    producer: String,
    seq: &impl NumberField,
    time: &impl NumberField,
) -> Result<(), InvalidEvent> {
    let [seq, time] = [seq.to_seq(), time.to_seq()];
    let (seq, time) = (
        seq.map_err(invalid_event)?.get(),
        time.map_err(invalid_event)?.get(),
    );
    let stamp = Stamp::lamport(producer, seq, time);
    stamp
        .map(drop)
        .map_err(|error| invalid_event(format!("{error}. {STAMP_FIRST}")))
}
