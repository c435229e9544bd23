use super::{Item, Worker};
use crate::Model;
use crate::bounds::Bounds;
use crate::event::{Slot, Which};
use crate::mutation::Mutation;
use crate::store::Ask;
use crate::world::World;

/// One worker, about to do something in the world.
pub(crate) struct Turn<'a> {
    pub(crate) model: &'a Model,
    pub(crate) world: &'a mut World,
    pub(crate) slot: Slot,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Ack,
    Defer,
    DeadLetter,
}

impl Turn<'_> {
    pub(super) fn me(&mut self) -> &mut Worker {
        &mut self.world.workers[usize::from(self.slot)]
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.model.bounds
    }

    pub(super) fn is(&self, mutation: Mutation) -> bool {
        self.model.mutation == Some(mutation)
    }

    pub(super) fn tell(&mut self, ask: Ask) {
        self.me().outbox.push(ask);
    }

    /// What happens at the end of every turn: if no batch is under way, the next one goes out.
    pub(crate) fn send(&mut self) {
        let me = self.me();
        if me.batch.is_empty() && !me.outbox.is_empty() {
            me.batch = me.outbox.drain(..).map(|ask| (ask, None)).collect();
        }
    }

    /// The broker hands over an event.
    pub(crate) fn deliver(&mut self, which: Which) {
        self.world.queue[usize::from(which)] -= 1;
        let item = Item::delivered(which);
        if self.bounds().said(which).is_some() {
            return self.tell(Ask::Control(item));
        }
        if self.is(Mutation::AckOnDelivery) {
            // The broker has forgotten it: there is no delivery any more.
            return self.tell(Ask::Offer(Item {
                live: 0,
                stale: true,
                ..item
            }));
        }
        self.tell(Ask::Offer(item));
    }

    pub(super) fn settle(&mut self, item: &Item, fate: Fate) {
        match fate {
            Fate::Ack => {}
            Fate::Defer => self.world.queue[usize::from(item.event)] += item.live,
            Fate::DeadLetter if item.live > 0 => self.world.past.dead.insert(item.event),
            Fate::DeadLetter => {}
        }
    }

    /// The worker is told to stop, and leaves what it was delivered unsettled: it goes back when the worker closes.
    pub(super) fn leave_unsettled(&mut self, item: &Item) {
        let copies = std::iter::repeat_n(item.event, usize::from(item.live));
        let limbo = &mut self.me().limbo;
        limbo.extend(copies);
        limbo.sort_unstable();
    }
}
