//! An operator, who owns a key for the time of one verb.

use ordered_core::internal::{KeyState, Transition};
use ordered_core::protocol::Verb;
use ordered_core::store::{
    Acquire, AcquireMode, Answer, Listing, ListingChange, Owned, Previous, Request, Save,
};

use crate::Model;
use crate::bounds::Order;
use crate::event::{KeyNumber, key};
use crate::store::{Caller, Manner, NOW, Who};
use crate::world::World;

/// Operators are about the first key.
const KEY: KeyNumber = 0;

impl Model {
    /// The operator asks for the key and, where it is granted, does the verb. All of it is one step: in between nobody
    /// else can change the key.
    pub(crate) fn operate(&self, world: &mut World, order: Order, force: bool) {
        let Some(verb) = order.verb() else {
            let paused = order == Order::PauseGroup;
            if world.store.paused != paused {
                world.store.paused = paused;
                self.spend(world, order);
            }
            return;
        };
        let before = world.store.records[KEY].clone();
        let Some(owned) = self.take(world, force) else {
            return;
        };
        let (save, operated) = self.decide(&verb, &owned);
        if operated {
            self.spend(world, order);
        }
        if before
            .owner
            .is_some_and(|owner| matches!(owner.who, Who::Worker(_)))
        {
            world.take_away(KEY);
        }
        let before = world.store.records[KEY].clone();
        let who = Who::Operator(false);
        let manner = Manner {
            slot: 0,
            dedup_ttl: self.dedup_ttl(),
            mutation: self.mutation,
        };
        let saved = world.store.save_as(KEY, who, manner, &save);
        debug_assert!(matches!(saved, Answer::Saved(_)));
        self.judge_order(world, KEY, &before);
    }

    /// An operator takes the key and is never heard of again.
    pub(crate) fn vanish(&self, world: &mut World) {
        if self.take(world, false).is_some() {
            self.spend(world, Order::Pause);
            world.pasts[KEY].granted = None;
        }
    }

    fn spend(&self, world: &mut World, order: Order) {
        if !order.frees() {
            world.orders = world.orders.saturating_sub(1);
        }
    }

    fn take(&self, world: &mut World, force: bool) -> Option<Owned> {
        let acquire = Acquire {
            key: key(KEY),
            mode: if force {
                AcquireMode::Steal
            } else {
                AcquireMode::HandOver
            },
            letters: Vec::new(),
            look_up: Vec::new(),
        };
        let before = world.store.records[KEY].clone();
        let answer = world
            .store
            .acquire(KEY, Caller::Operator, &acquire, self.mutation);
        let who = Who::Operator(false);
        self.judge(world, who, &Request::Acquire(acquire), &answer, &before);
        match answer {
            Answer::Owned(owned) => Some(*owned),
            _ => None,
        }
    }

    /// As the operator's part of `ordered-core` decides: what every new owner does first, and then the verb.
    fn decide(&self, verb: &Verb, owned: &Owned) -> (Save, bool) {
        let mut state = owned.body.as_ref().map_or_else(
            || KeyState::new(1),
            |body| KeyState::decode(body, owned.body_fence).expect("one version of the body"),
        );
        let before = state.clone();
        let mut transition = Transition::new(&mut state, &self.policy, NOW);
        transition.take_mail(&owned.mail);
        match &owned.previous {
            Previous::Died(worker) if !worker.is_operator() => {
                transition.owner_died(worker.as_str());
            }
            _ => transition.cancel_trial(),
        }
        transition.wake();
        transition.watch_gap(false);
        transition.end_gap_as_operator();
        transition.watch_gap(false);
        let operated = transition.operate(verb, None).is_ok();
        let changes = transition.changes;
        let listing = state.listing(&self.policy, Listing::default(), NOW);
        let mut save = Save::new(key(KEY), owned.fence);
        save.listing = ListingChange {
            due: Some(listing.due),
            gap: Some(listing.gap),
            halted: Some(listing.halted),
        };
        if operated || state != before {
            save.body = Some(state.encode(owned.fence));
        }
        save.changes = changes;
        save.taken = owned.mail.len();
        save.release = true;
        (save, operated)
    }
}
