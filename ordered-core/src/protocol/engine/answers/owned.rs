use std::time::Duration;

use crate::protocol::engine::actor::{Actor, Ownership};
use crate::protocol::engine::effect::{Deferral, Effect, KeyChange};
use crate::protocol::engine::numbering::take_mail;
use crate::protocol::engine::pending::PendingAcquire;
use crate::protocol::engine::shared::Shared;
use crate::protocol::engine::watermark::Watermark;
use crate::protocol::{Fence, KeyState, Transition};
use crate::store::{Listing, Owned, Previous};

/// After how long at the most a key is asked for again that was given with too low a fence.
const LONGEST_FENCE_WAIT: Duration = Duration::from_secs(1);

impl<D: Default> Actor<D> {
    pub(super) fn on_owned(
        &mut self,
        shared: &mut Shared<D>,
        pending: &PendingAcquire,
        owned: Owned,
    ) {
        let was = self.ownership.take();
        let doubt = self.in_doubt.take();
        (self.busy, self.unsure) = (false, false);
        let first_seq = shared.rules.policy.first_seq;
        let decoded = match &owned.body {
            None => Ok(KeyState::new(first_seq)),
            Some(body) => KeyState::decode(body, owned.body_fence),
        };
        let (state, unreadable) = match decoded {
            Ok(state) => (state, None),
            Err(error) => (KeyState::new(first_seq), Some(error.to_string())),
        };
        let listing = match &owned.body {
            Some(_) => state.listing(&shared.rules.policy, Listing::default(), shared.now),
            None => Listing::default(),
        };
        let was_at = was.as_deref().map(Ownership::watermark);
        let epoch = was.as_deref().map(|own| own.state.epoch);
        let marks = shared.watermarks.get(&self.key).into_iter().chain(was_at);
        let knew = marks.reduce(Watermark::join);
        let saved_fence = was.as_ref().map_or(Fence(0), |own| own.fence);
        let carried_out = doubt.as_ref().is_some_and(|save| {
            let is_its = |body| save.next.encode(saved_fence) == body;
            save.writes_body
                && owned.body_fence == saved_fence
                && owned.body.as_ref().is_some_and(is_its)
        });
        let knows_body = was
            .as_ref()
            .is_some_and(|own| own.body_fence == owned.body_fence);
        let unbroken = match owned.previous {
            // An acquisition without an answer may have come between, and another owner before that.
            Previous::Myself => knows_body || carried_out,
            // The store forgot everything, and nobody else has had the key since.
            Previous::Nobody => owned.body.is_none(),
            Previous::Died(_) | Previous::Other(_) => false,
        };
        let continues = was.is_some() && unbroken && unreadable.is_none();
        let (began, serial_until, moves) =
            was.filter(|_| continues)
                .map_or((false, 0, Vec::new()), |own| {
                    let moves = if carried_out { Vec::new() } else { own.moves };
                    (own.began, own.serial_until, moves)
                });
        let mut own = Ownership::new(&owned, state, listing);
        (own.began, own.serial_until, own.moves) = (began, serial_until, moves);
        self.ownership = Some(Box::new(own));
        if owned.body.is_none() {
            // What lay in the mailbox is gone with the state.
            self.queue.forget_stored(epoch);
            self.forget_saved_failure();
        }
        if let Some(save) = doubt {
            if carried_out {
                self.settle_in_doubt(shared, *save);
            } else if continues {
                self.undo(shared, *save);
            } else {
                self.requeue(shared, *save);
            }
        }
        if !continues {
            let own = self.ownership.take();
            self.lose(shared);
            self.ownership = own;
        }
        if let Some(error) = unreadable {
            return self.give_up_unreadable(shared, error);
        }
        self.note_previous(shared, &owned);
        self.correct(shared, knew);
        self.wait_for_fence(shared, knew);
        self.queue.forget_seen();
        self.queue.note_seen(&pending.looked_up, &owned.seen);
        self.number_arrivals(shared);
        let is_tried = shared.quarantine.is_on_trial(&self.key);
        if let Some(own) = &mut self.ownership {
            own.trial_saved = own.state.on_trial && is_tried;
        }
    }

    /// Takes in the mail, and what the previous owner left.
    fn note_previous(&mut self, shared: &mut Shared<D>, owned: &Owned) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let rules = std::sync::Arc::clone(&shared.rules);
        let mut transition = Transition::new(&mut own.state, &rules.policy, shared.now);
        take_mail(&mut transition, &self.queue, &mut own.moves, &owned.mail);
        (own.mail, own.told_at) = (owned.mail.len(), shared.now);
        own.dirty |= own.mail > 0;
        if let Previous::Died(worker) = &owned.previous
            && !worker.is_operator()
        {
            let was_halted = transition.state.is_blocked();
            let replay = transition.state.replays.keys().next().copied();
            transition.owner_died(worker.as_str());
            own.dirty = true;
            own.death_unsaved = true;
            own.serial_until = (own.state.head() + rules.reach()).saturating_sub(1);
            if let Some(seq) = replay.filter(|seq| !own.state.replays.contains_key(seq)) {
                shared.observe_key(&self.key, KeyChange::ReplayCrashed { seq });
            }
            if let Some(last) = &own.state.last_error
                && !was_halted
                && own.state.is_blocked()
            {
                let (seq, error) = (own.state.head(), last.error.clone());
                shared.observe_key(&self.key, KeyChange::Crashed { seq, error });
            }
        }
        own.tip = own.state.last_seq;
        own.known_from = own.state.last_seq;
    }

    /// Where the store knows less of the key than the worker does, it lost state, and the key is set right.
    fn correct(&mut self, shared: &mut Shared<D>, knew: Option<Watermark>) {
        let (Some(own), Some(mark)) = (&mut self.ownership, knew) else {
            return;
        };
        let found = own.state.last_seq;
        if !mark.is_beyond(&own.state) {
            return;
        }
        if mark.epoch > own.state.epoch {
            // What is held belongs to an older one, and leaves the mailbox with the next save.
            own.lost_epoch = Some(mark);
        } else {
            own.state.correct(mark.epoch, mark.last_seq);
        }
        own.dirty = true;
        own.tip = own.state.last_seq;
        own.known_from = own.state.last_seq;
        let known = mark.last_seq;
        self.forget_saved_failure();
        shared.observe_key(&self.key, KeyChange::Corrected { found, known });
    }

    /// The failure that the worker waits after was lost with the state: when the wait is given up, it is saved again.
    fn forget_saved_failure(&mut self) {
        for failure in self.waiting.iter_mut().chain(&mut self.failure) {
            failure.saved = false;
        }
    }

    /// A sink that has seen a higher fence refuses what runs under this one: nothing begins before the store gives a
    /// higher one, which it does when its clock is past it.
    fn wait_for_fence(&mut self, shared: &mut Shared<D>, knew: Option<Watermark>) {
        let (Some(own), Some(mark)) = (&mut self.ownership, knew) else {
            return;
        };
        let Some(behind) = mark.fence.checked_sub(own.fence.0) else {
            return;
        };
        own.uncertain = true;
        self.asleep = true;
        shared.watermarks.note(&self.key, mark);
        let wait = Duration::from_micros(behind.saturating_add(1));
        shared.wake(&self.key, wait.min(LONGEST_FENCE_WAIT));
        let (given, known) = (own.fence, Fence(mark.fence));
        shared.observe_key(&self.key, KeyChange::FenceFell { given, known });
    }

    /// The body cannot be read: the key is given back as it is, and its events stay with the broker for a while.
    fn give_up_unreadable(&mut self, shared: &mut Shared<D>, error: String) {
        shared.observe_key(&self.key, KeyChange::Unreadable(error));
        (self.claimed, self.adopting) = (false, false);
        for event in self.queue.take_all() {
            self.defer(shared, event, Deferral::Unreadable);
        }
        for (_, token) in std::mem::take(&mut self.controls) {
            shared.effects.push(Effect::SettleControl {
                token,
                deferred: Some(Deferral::Unreadable),
            });
        }
    }
}

impl Ownership {
    fn new(owned: &Owned, state: KeyState, listing: Listing) -> Self {
        Self {
            fence: owned.fence,
            body_fence: owned.body_fence,
            listing,
            lost_epoch: None,
            dirty: false,
            began: false,
            serial_until: 0,
            hand_over: false,
            uncertain: false,
            mail: 0,
            told_at: 0,
            tip: state.last_seq,
            committing: 0,
            closed: false,
            death_unsaved: false,
            trial_saved: false,
            known_from: state.last_seq,
            saved_seq: None,
            moves: Vec::new(),
            ids: Default::default(),
            state,
        }
    }
}
