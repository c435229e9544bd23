//! What the broker delivers, as the engine takes it.

use super::outlet::Outlet;
use super::run_input::Read;
use super::{Control, Occurrence, Place, Settings, control};
use crate::clock::wall_clock;
use crate::event::{Envelope, Seq};
use crate::handler::{Decoded, DynHandler, Malformed};
use crate::protocol::engine::{Engine, Event};
use crate::protocol::{Millis, Order};
use crate::transport::Delivery;

/// Gives deliveries to the engine. What cannot be read is dead-lettered.
pub(super) fn take(
    engine: &mut Engine<Read>,
    outlet: &mut Outlet,
    handler: &dyn DynHandler,
    (settings, order): (&Settings, Order),
    deliveries: Vec<Delivery>,
) {
    let received_at = wall_clock();
    for delivery in deliveries {
        let (size, limit) = (delivery.envelope.body.len(), settings.max_body_bytes);
        let token = delivery.token;
        let taken = if size > limit {
            Err(Malformed(format!(
                "the body has {size} bytes, and may have {limit} at most (setting `max_body_bytes`)"
            )))
        } else {
            give(engine, outlet, handler, order, delivery, received_at)
        };
        if let Err(Malformed(text)) = taken {
            outlet.malformed(token, text);
        }
    }
}

fn give(
    engine: &mut Engine<Read>,
    outlet: &mut Outlet,
    handler: &dyn DynHandler,
    order: Order,
    delivery: Delivery,
    received_at: Millis,
) -> Result<(), Malformed> {
    let Delivery {
        token,
        envelope,
        redelivered,
    } = delivery;
    if let Some((key, control)) = Control::read(&envelope)? {
        if control.concerns(order) {
            engine.control(&key, control, token);
        } else {
            outlet.ignore_control(token);
        }
        return Ok(());
    }
    let epoch = control::epoch(&envelope)?;
    let Decoded {
        key,
        seq,
        id,
        event: read,
    } = read(handler, &envelope)?;
    if !seq.is_numbered() && !order.numbers_itself() {
        return Err(Malformed(format!(
            "the event has no seq, and the order of its group is `{order}`: give the handler a `seq`, or `order = \"arrival\"`"
        )));
    }
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
