use super::item::Item;
use super::{Engine, Then};
use crate::clock::wall_clock;
use crate::event::{Envelope, Key};
use crate::handler::Malformed;
use crate::protocol::{Action, Millis};
use crate::transport::{Delivery, Fate, Reason, ReasonKind, Settlement, Token};
use crate::worker::{Control, Occurrence, Outcome, control};

/// What a delivery turned out to be.
enum Read {
    Event(Box<Item>),
    Control(Key, Control),
}

impl Engine {
    /// Takes what the broker delivered. While draining it is left unsettled, so that the broker delivers it elsewhere.
    pub(in crate::worker) fn on_deliveries(&mut self, deliveries: Vec<Delivery>) {
        if self.draining {
            return;
        }
        let received_at = wall_clock();
        for delivery in deliveries {
            self.on_delivery(delivery, received_at);
        }
    }

    fn on_delivery(
        &mut self,
        Delivery {
            token,
            envelope,
            redelivered,
        }: Delivery,
        received_at: Millis,
    ) {
        let (size, limit) = (envelope.body.len(), self.parts.settings.max_body_bytes);
        if size > limit {
            let text = format!(
                "the body has {size} bytes, and may have {limit} at most (setting `max_body_bytes`)"
            );
            return self.malformed(token, text);
        }
        match self.read(token, envelope, received_at) {
            Err(malformed) => self.malformed(token, malformed.0),
            Ok(Read::Event(item)) => {
                self.observe(&Occurrence::Received {
                    event: item.place(),
                    redelivered,
                });
                self.arrived(item);
            }
            Ok(Read::Control(key, control)) => {
                self.tell(key, control.action(), Then::Control(control, token));
            }
        }
    }

    fn read(
        &self,
        token: Token,
        envelope: Envelope,
        received_at: Millis,
    ) -> Result<Read, Malformed> {
        if let Some((key, control)) = Control::read(&envelope)? {
            return Ok(Read::Control(key, control));
        }
        let epoch = control::epoch(&envelope)?;
        let decoded = self.parts.decode(&envelope)?;
        let item = Item::delivered(decoded, envelope, epoch, token, received_at);
        Ok(Read::Event(Box::new(item)))
    }

    fn malformed(&mut self, token: Token, text: String) {
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text,
        };
        self.observe(&Occurrence::Malformed { reason: &reason });
        let ledger = &self.parts.telemetry.deliveries;
        ledger.settled(Outcome::Malformed, 1);
        self.settlements.push(Settlement {
            token,
            fate: Fate::DeadLetter(reason),
        });
    }

    /// Asks the store whether the event may run.
    pub(super) fn offer(&mut self, item: Box<Item>) {
        self.tell(
            item.key.clone(),
            Action::Offer(item.event.clone()),
            Then::Place(item),
        );
    }

    /// Sends the event to the store, to be held there if it may not run.
    pub(super) fn hold(&mut self, item: Box<Item>) {
        let action = Action::Hold(item.event.clone(), item.envelope.clone());
        self.tell(item.key.clone(), action, Then::Place(item));
    }
}
