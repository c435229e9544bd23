use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordered_core::transport::{Delivery, Token};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::message::Incoming;
use crate::visibility::Visibility;

/// Everything that the broker has given us and that is not settled yet.
#[derive(Debug)]
pub(crate) struct UnsettledMessages {
    // A std mutex: it is held for the time of a few map accesses, and never over an await.
    state: Mutex<State>,
    max_unsettled: usize,
    /// Something came, or it is over.
    pub(crate) arrived: Notify,
    /// Room was made, somebody waits, or it is over. One task listens, and a permit is kept for it.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    last_token: u64,
    /// Unsettled: waiting to be taken, or with the worker.
    entries: HashMap<Token, Entry>,
    /// Those that wait to be taken, in the order they came in.
    waiting: VecDeque<Token>,
    /// How many are being settled.
    settling: usize,
    /// How many have been asked for.
    asked: usize,
    /// How many receives wait.
    receivers: usize,
    closing: bool,
    fatal: Option<String>,
}

/// A message that is ours, with all that is needed to settle it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) message: Incoming,
    pub(crate) visibility: Visibility,
    /// When it came: its whole time with us may be twelve hours at the most.
    pub(crate) received: Instant,
}

/// How much room there is for a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollRoom {
    /// Nobody waits, or there is none.
    None,
    /// For less than a batch; more is being made.
    Some(usize),
    /// For as much as there will be.
    Batch(usize),
}

/// While it lives, a receive waits.
#[derive(Debug)]
pub(crate) struct ReceiveGuard<'a>(&'a UnsettledMessages);

impl UnsettledMessages {
    pub(crate) fn new(max_unsettled: usize) -> Self {
        Self {
            state: Mutex::default(),
            max_unsettled: max_unsettled.max(1),
            arrived: Notify::new(),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a receive waits, so that there is something to ask the broker for.
    pub(crate) fn wait(&self) -> ReceiveGuard<'_> {
        self.lock().receivers += 1;
        self.changed.notify_one();
        ReceiveGuard(self)
    }

    /// How many messages a poll may ask for, `batch` at most.
    pub(crate) fn room(&self, batch: usize) -> PollRoom {
        let state = self.lock();
        let out = state.entries.len() + state.settling + state.asked;
        let free = self.max_unsettled.saturating_sub(out);
        if free == 0 || state.receivers == 0 || state.closing {
            PollRoom::None
        } else if free >= batch || out == 0 {
            PollRoom::Batch(free.min(batch))
        } else {
            PollRoom::Some(free)
        }
    }

    /// Notes that so many are asked for; [`UnsettledMessages::arrive`] takes the note back.
    pub(crate) fn ask(&self, count: usize) {
        self.lock().asked += count;
    }

    /// Takes in what a poll for `asked` messages brought.
    pub(crate) fn arrive(&self, asked: usize, entries: Vec<Entry>) {
        let mut state = self.lock();
        state.asked -= asked;
        for entry in entries {
            state.last_token += 1;
            let token = Token(state.last_token);
            state.entries.insert(token, entry);
            state.waiting.push_back(token);
        }
        drop(state);
        self.arrived.notify_waiters();
    }

    /// What waits to be taken, `max` at most; what was lost while it waited is left out.
    pub(crate) fn take(&self, max: usize) -> Vec<Delivery> {
        let now = Instant::now();
        let mut state = self.lock();
        let mut deliveries = Vec::new();
        while deliveries.len() < max {
            let Some(token) = state.waiting.pop_front() else {
                break;
            };
            match state.entries.get(&token) {
                Some(entry) if !entry.visibility.is_lost(now) => deliveries.push(Delivery {
                    token,
                    envelope: entry.message.envelope.clone(),
                    redelivered: entry.message.redelivered,
                }),
                _ => {
                    state.entries.remove(&token);
                }
            }
        }
        deliveries
    }

    /// Takes out a message to settle it; `None` when the token means nothing, or no longer. Until
    /// [`UnsettledMessages::settled`] it counts as unsettled.
    pub(crate) fn settle(&self, token: Token) -> Option<Entry> {
        let mut state = self.lock();
        let entry = state.entries.remove(&token)?;
        state.settling += 1;
        Some(entry)
    }

    /// So many of those being settled are.
    pub(crate) fn settled(&self, count: usize) {
        self.lock().settling -= count;
        self.changed.notify_one();
    }

    /// What needs more time by then, as token and receipt.
    pub(crate) fn due(&self, by: Instant, visibility: Duration) -> Vec<(Token, String)> {
        let state = self.lock();
        let entries = state.entries.iter();
        entries
            .filter(|(_, entry)| entry.visibility.renew_at(visibility) <= by)
            .map(|(token, entry)| (*token, entry.message.receipt.clone()))
            .collect()
    }

    /// Notes that a message is ours for longer.
    pub(crate) fn renewed(&self, token: Token, visibility: Visibility) {
        if let Some(entry) = self.lock().entries.get_mut(&token) {
            entry.visibility = visibility;
        }
    }

    /// Forgets a message that is no longer ours; `None` when it has been settled meanwhile.
    pub(crate) fn forget(&self, token: Token) -> Option<Entry> {
        let entry = self.lock().entries.remove(&token);
        self.changed.notify_one();
        entry
    }

    /// Forgets what is no longer ours by the clock, and says how many that was.
    pub(crate) fn forget_lost(&self) -> usize {
        let now = Instant::now();
        let mut state = self.lock();
        let before = state.entries.len();
        state
            .entries
            .retain(|_, entry| !entry.visibility.is_lost(now));
        let lost = before - state.entries.len();
        drop(state);
        self.changed.notify_one();
        lost
    }

    /// Takes out what waits of these message groups: it must not overtake what comes again before it.
    pub(crate) fn withdraw(&self, is_withdrawn: impl Fn(&str) -> bool) -> Vec<Entry> {
        let mut state = self.lock();
        let State {
            entries, waiting, ..
        } = &mut *state;
        let mut withdrawn = Vec::new();
        waiting.retain(|token| {
            let group = entries.get(token).and_then(|entry| entry.message.group());
            let keep = !group.is_some_and(&is_withdrawn);
            if !keep {
                withdrawn.extend(entries.remove(token));
            }
            keep
        });
        drop(state);
        self.changed.notify_one();
        withdrawn
    }

    /// From now on nothing more is asked for.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
        self.arrived.notify_waiters();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Takes out everything.
    pub(crate) fn drain(&self) -> Vec<Entry> {
        let mut state = self.lock();
        state.waiting.clear();
        state.entries.drain().map(|(_, entry)| entry).collect()
    }

    /// Notes that it cannot go on, and why.
    pub(crate) fn fail(&self, why: String) {
        self.lock().fatal = Some(why);
        self.arrived.notify_waiters();
    }

    /// Why it cannot go on.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.lock().fatal.clone()
    }
}

impl Drop for ReceiveGuard<'_> {
    fn drop(&mut self) {
        self.0.lock().receivers -= 1;
    }
}
