use super::item::Item;
use super::{Engine, Then};
use crate::clock::wall_clock;
use crate::protocol::Action;
use crate::transport::{Delivery, Fate, Reason, ReasonKind, Settlement, Token};
use crate::worker::{Occurrence, Outcome};

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
        received_at: u64,
    ) {
        let (size, limit) = (envelope.body.len(), self.parts.settings.max_body_bytes);
        if size > limit {
            let text = format!(
                "the body has {size} bytes, and may have {limit} at most (setting `max_body_bytes`)"
            );
            return self.malformed(token, text);
        }
        match self.parts.decode(&envelope) {
            Err(malformed) => self.malformed(token, malformed.0),
            Ok(decoded) => {
                let item = Item::delivered(decoded, envelope, token, received_at);
                self.observe(&Occurrence::Received {
                    event: item.place(),
                    redelivered,
                });
                self.offer(item);
            }
        }
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
    pub(super) fn offer(&mut self, item: Item) {
        self.tell(
            item.key.clone(),
            Action::Offer(item.event.clone()),
            Then::Place(item),
        );
    }

    /// Sends the event to the store, to be held there if it may not run.
    pub(super) fn hold(&mut self, item: Item) {
        let action = Action::Hold(item.event.clone(), item.envelope.clone());
        self.tell(item.key.clone(), action, Then::Place(item));
    }
}
