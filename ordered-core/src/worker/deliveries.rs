//! What the broker delivers, as the engine takes it.

use super::outlet::Outlet;
use super::oversized::{self, Excerpt};
use super::run_input::Read;
use super::{Control, Occurrence, Place, Settings, control};
use crate::clock::wall_clock;
use crate::event::{Envelope, Seq};
use crate::handler::{Decoded, DynHandler, Malformed};
use crate::protocol::Millis;
use crate::protocol::engine::{Engine, Event};
use crate::transport::Delivery;

/// Gives deliveries to the engine. What cannot be read is dead-lettered.
pub(super) fn take(
    engine: &mut Engine<Read>,
    outlet: &mut Outlet,
    handler: &dyn DynHandler,
    settings: &Settings,
    deliveries: Vec<Delivery>,
) {
    let received_at = wall_clock();
    for delivery in deliveries {
        let token = delivery.token;
        let taken = give(engine, outlet, handler, settings, (delivery, received_at));
        if let Err(Malformed(text)) = taken {
            outlet.malformed(token, text);
        }
    }
}

fn give(
    engine: &mut Engine<Read>,
    outlet: &mut Outlet,
    handler: &dyn DynHandler,
    settings: &Settings,
    (delivery, received_at): (Delivery, Millis),
) -> Result<(), Malformed> {
    let Delivery {
        token,
        mut envelope,
        redelivered,
    } = delivery;
    if let Some((key, control)) = Control::read(&envelope)? {
        engine.control(&key, control, token);
        return Ok(());
    }
    let epoch = control::epoch(&envelope)?;
    // Only this worker says what is an excerpt.
    envelope.forget_excerpt();
    let decoded = if envelope.body.len() <= settings.max_body_bytes {
        read(handler, &envelope)?
    } else {
        let (place, excerpt) = oversized::place(handler, &envelope, settings)?;
        if let Some(Excerpt { event, why }) = excerpt {
            envelope = event;
            outlet.excerpts.insert(token, why);
        }
        place.map(|()| Read::default())
    };
    let Decoded {
        key,
        seq,
        id,
        event: read,
    } = decoded;
    observe_received(outlet, (&key, seq, &id), redelivered);
    let mut event = Event::delivered(seq.get(), id, envelope, read, token);
    event.epoch = epoch;
    event.received_at = received_at;
    event.redelivered = redelivered;
    engine.deliver(&key, event);
    Ok(())
}

/// The event, or where it belongs: one that cannot be read fails when it is its turn.
fn read(handler: &dyn DynHandler, envelope: &Envelope) -> Result<Decoded<Read>, Malformed> {
    match handler.read(envelope) {
        Ok(decoded) => Ok(decoded.map(Read::new)),
        Err(malformed) => match handler.place(envelope) {
            Some(place) => Ok(place.map(|()| Read::default())),
            None => Err(malformed),
        },
    }
}

fn observe_received(
    outlet: &Outlet,
    (key, seq, id): (&crate::event::Key, Seq, &crate::event::EventId),
    redelivered: bool,
) {
    let event = Place { key, seq, id };
    outlet.observe(&Occurrence::Received { event, redelivered });
}
