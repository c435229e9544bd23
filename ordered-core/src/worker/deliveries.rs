//! What the broker delivers, as the engine takes it.

use super::oversized::{self, Excerpt};
use super::reporter::Reporter;
use super::run_input::DecodedEvent;
use super::{Control, EventRef, Settings, WorkerEvent, control};
use crate::clock::wall_clock;
use crate::event::{Envelope, Seq};
use crate::handler::{AnyEvent, Decoded, DynHandler, Malformed};
use crate::protocol::engine::{Engine, Event};
use crate::protocol::{Millis, Order, Stamp};
use crate::transport::Delivery;

/// What is too large, and which seq is too low.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) settings: &'a Settings,
    /// The seq that a key begins with.
    pub(super) first_seq: u64,
    pub(super) order: Order,
}

/// Gives deliveries to the engine. What cannot be read is dead-lettered.
pub(super) fn take(
    engine: &mut Engine<DecodedEvent>,
    reporter: &mut Reporter,
    handler: &dyn DynHandler,
    limits: Limits<'_>,
    deliveries: Vec<Delivery>,
) {
    let received_at = wall_clock();
    for delivery in deliveries {
        let token = delivery.token;
        let taken = give(engine, reporter, handler, limits, (delivery, received_at));
        if let Err(Malformed(text)) = taken {
            reporter.malformed(token, text);
        }
    }
}

fn give(
    engine: &mut Engine<DecodedEvent>,
    reporter: &mut Reporter,
    handler: &dyn DynHandler,
    limits: Limits<'_>,
    (delivery, received_at): (Delivery, Millis),
) -> Result<(), Malformed> {
    let Delivery {
        token,
        mut envelope,
        redelivered,
    } = delivery;
    if let Some((key, control)) = Control::read(&envelope)? {
        if !control.concerns(limits.order) {
            reporter.ignore_control(token);
            return Ok(());
        }
        if control.resets_to_zero(limits.first_seq) {
            return Err(no_zero(limits.first_seq));
        }
        engine.control(&key, control, token);
        return Ok(());
    }
    let epoch = control::epoch(&envelope)?;
    // Only this worker says what is an excerpt.
    envelope.forget_excerpt();
    let mut stamp = None;
    let decoded = if envelope.body.len() <= limits.settings.max_body_bytes {
        let (decoded, its_stamp) = read(handler, &envelope, limits.order)?;
        stamp = its_stamp;
        decoded
    } else {
        if limits.order.has_producers() {
            // As the place, it is looked for in the excerpt.
            let excerpt = envelope.excerpt();
            stamp = Some(stamp_of(handler, &excerpt, None, limits.order)?);
        }
        let (place, excerpt) = oversized::place(handler, &envelope, limits.settings)?;
        if let Some(Excerpt { event, why }) = excerpt {
            envelope = event;
            reporter.excerpts.insert(token, why);
        }
        place.map(|()| DecodedEvent::default())
    };
    let Decoded {
        key,
        seq,
        id,
        event: read,
    } = decoded;
    if !seq.is_numbered() && !limits.order.numbers_itself() {
        return Err(Malformed(format!(
            "the event has no seq, and the order of its group is `{}`: give the handler a `seq`, or `order = \
             \"arrival\"`",
            limits.order
        )));
    }
    if seq.get() == 0 && limits.first_seq > 0 {
        return Err(no_zero(limits.first_seq));
    }
    observe_received(reporter, (&key, seq, &id), redelivered);
    let mut event = Event::delivered(seq.get(), id, envelope, read, token).stamped(stamp);
    event.epoch = epoch;
    event.received_at = received_at;
    event.redelivered = redelivered;
    engine.deliver(&key, event);
    Ok(())
}

/// A key never comes to seq 0 where it begins later.
fn no_zero(first_seq: u64) -> Malformed {
    Malformed(format!(
        "seq is 0, and the keys of the group begin with {first_seq}: where the producer counts from 0, the handler has \
         to say so (`first_seq = 0`)"
    ))
}

/// The event, or where it belongs: one that cannot be read fails when it is its turn.
fn read(
    handler: &dyn DynHandler,
    envelope: &Envelope,
    order: Order,
) -> Result<(Decoded<DecodedEvent>, Option<Stamp>), Malformed> {
    let stamp = |event: Option<&AnyEvent>| {
        let has_one = order.has_producers();
        let stamp = has_one.then(|| stamp_of(handler, envelope, event, order));
        stamp.transpose()
    };
    match handler.read(envelope) {
        Ok(decoded) => {
            let stamp = stamp(Some(&decoded.event))?;
            Ok((decoded.map(DecodedEvent::new), stamp))
        }
        Err(malformed) => match handler.place(envelope) {
            Some(place) => Ok((place.map(|()| DecodedEvent::default()), stamp(None)?)),
            None => Err(malformed),
        },
    }
}

/// Who sent the event, and what its producer knew.
fn stamp_of(
    handler: &dyn DynHandler,
    envelope: &Envelope,
    event: Option<&AnyEvent>,
    order: Order,
) -> Result<Stamp, Malformed> {
    let needed = if order.has_times() {
        "a `producer`, a `seq` and a `time`"
    } else {
        "a `producer` and a `clock`"
    };
    let stamp = handler.stamp(envelope, event)?;
    let stamp = stamp.filter(|stamp| stamp.time().is_some() == order.has_times());
    stamp.ok_or_else(|| {
        Malformed(format!(
            "the handler does not say who sent the event and when, and the order of its group is `{order}`: give the \
             handler {needed}, or implement `Handler::stamp`"
        ))
    })
}

fn observe_received(
    reporter: &Reporter,
    (key, seq, id): (&crate::event::Key, Seq, &crate::event::EventId),
    redelivered: bool,
) {
    let event = EventRef { key, seq, id };
    reporter.observe(&WorkerEvent::Received { event, redelivered });
}
