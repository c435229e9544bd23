use std::collections::{HashMap, HashSet, VecDeque};

use tokio::task::AbortHandle;

use super::Failure;
use super::item::Item;
use crate::event::EventId;
use crate::handler::HandlerOptions;
use crate::protocol::Fence;

/// The events of one key that this worker was granted, run one after the other, or several at a time.
///
/// There is a lane for a key exactly as long as the store has a claim of this worker on it, seen through the replies,
/// which come in the order in which the store applied the commands.
pub(super) struct Lane {
    pub(super) fence: Fence,
    /// Those that are done, with their commits on the way to the store, in the order in which these were said.
    pub(super) told: VecDeque<Box<Item>>,
    /// The others in order of seq; the first are those at work.
    pub(super) queue: VecDeque<Box<Item>>,
    pub(super) ids: Ids,
    pub(super) stage: Stage,
    /// Up to this seq events run alone and strictly: one of them may be what a run failed of, or a worker died of.
    pub(super) careful_to: u64,
    /// The lease had ended since the grant: nothing runs ahead until the store has taken the commits that are told.
    pub(super) doubtful: bool,
    /// It stands in the line for a handler slot.
    pub(super) lined_up: bool,
}

/// What a lane's events stand in: those that are told, the others, and the ids of all.
pub(super) type Queues = (VecDeque<Box<Item>>, VecDeque<Box<Item>>, Ids);

/// How often each id is in the lane. That is asked before each run and after each commit, and hardly any comes twice, so
/// that only then the lane is looked through.
#[derive(Default)]
pub(super) struct Ids {
    times: HashMap<EventId, u32, foldhash::quality::RandomState>,
    /// How many come more than once.
    repeated: usize,
}

impl Ids {
    fn add(&mut self, id: &EventId) {
        let times = self.times.entry(id.clone()).or_insert(0);
        *times += 1;
        self.repeated += usize::from(*times == 2);
    }

    fn remove(&mut self, id: &EventId) {
        match self.times.get_mut(id) {
            Some(times) if *times > 1 => {
                *times -= 1;
                self.repeated -= usize::from(*times == 1);
            }
            _ => drop(self.times.remove(id)),
        }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.repeated = 0;
    }

    fn has_repeated(&self) -> bool {
        self.repeated > 0
    }
}

/// What becomes of the first event of a lane that is not told.
pub(super) enum Stage {
    /// It waits for a handler slot, or for the commits that are told.
    Ready,
    /// The handler is at it and those behind it.
    Running {
        events: usize,
        /// There once the run was spawned.
        handle: Option<AbortHandle>,
    },
    /// A command that it is not ready after is on its way to the store: retry, halt, release and their like.
    Asking,
    /// It failed so, and waits to be tried again.
    BackingOff(Failure),
}

impl Lane {
    pub(super) fn new(fence: Fence, (told, queue, ids): Queues) -> Self {
        Self {
            fence,
            told,
            queue,
            ids,
            stage: Stage::Ready,
            careful_to: 0,
            doubtful: false,
            lined_up: false,
        }
    }

    /// How many deliveries of the read-ahead it takes.
    pub(super) fn unsettled(&self) -> usize {
        self.queue.iter().map(|item| item.tokens.len()).sum()
    }

    /// The last seq in memory.
    pub(super) fn have(&self) -> u64 {
        let last = self.queue.back().or(self.told.back());
        last.map_or(0, |item| item.seq().get())
    }

    /// How many events the next run takes; 0 if none may begin now.
    pub(super) fn next_run(&self, options: &HandlerOptions) -> usize {
        let Some(first) = self.queue.front().filter(|_| self.may_begin(options)) else {
            return 0;
        };
        if options.batch == 1 || !self.may_share(first) {
            return 1;
        }
        let mut ids = self.ids.has_repeated().then(|| {
            let told = self.told.iter().map(|item| item.id());
            told.collect::<HashSet<&EventId>>()
        });
        let (mut events, mut before) = (0, first.seq().get() - 1);
        for item in self.queue.iter().take(options.batch as usize) {
            let seq = item.seq().get();
            let mut is_again = || ids.as_mut().is_some_and(|ids| !ids.insert(item.id()));
            if seq != before + 1 || !self.may_share(item) || is_again() {
                break;
            }
            (events, before) = (events + 1, seq);
        }
        events
    }

    /// Whether the next event may run now: strictly only when those before it are committed.
    pub(super) fn may_begin(&self, options: &HandlerOptions) -> bool {
        let (Stage::Ready, Some(first)) = (&self.stage, self.queue.front()) else {
            return false;
        };
        let Some(before) = self.told.back() else {
            return true;
        };
        self.told.len() <= options.commit_window as usize
            && !self.doubtful
            && self.may_share(first)
            // One at a later attempt is strict to its end: a crash now would be another attempt of it.
            && self.may_share(before)
            && before.seq().get() + 1 == first.seq().get()
            && !(self.ids.has_repeated() && self.told.iter().any(|told| told.id() == first.id()))
    }

    /// Whether the event may run together with others, or ahead of commits. One that has its own end to come to may not:
    /// it would take the others with it, or be taken for one of them.
    fn may_share(&self, item: &Item) -> bool {
        let readable = !matches!(item.read, Some(Err(_)));
        item.attempt == 1 && !item.repeat && readable && item.seq().get() > self.careful_to
    }

    /// Whether nothing of it runs, and no answer will say how it goes on.
    pub(super) fn waits(&self) -> bool {
        self.told.is_empty() && matches!(self.stage, Stage::Ready | Stage::BackingOff(_))
    }

    /// How many of the queue the handler is at.
    fn running(&self) -> usize {
        match self.stage {
            Stage::Running { events, .. } => events,
            _ => 0,
        }
    }

    /// Those that the handler has begun with and that are not committed.
    pub(super) fn begun(&self) -> impl Iterator<Item = &Item> {
        let running = self.queue.iter().take(self.running());
        self.told.iter().chain(running).map(|item| &**item)
    }

    /// Takes out the first event whose commit is told, which is committed.
    pub(super) fn leave_told(&mut self) -> Option<Box<Item>> {
        let item = self.told.pop_front()?;
        self.left(item.id());
        Some(item)
    }

    /// Takes out the first event that is not told, which failed and which the key has gone past.
    pub(super) fn leave_front(&mut self) -> Option<Box<Item>> {
        let item = self.queue.pop_front()?;
        self.left(item.id());
        Some(item)
    }

    /// An id that comes back under a later seq was not committed yet when that one was granted.
    fn left(&mut self, id: &EventId) {
        if self.ids.has_repeated() {
            for item in self.queue.iter_mut().filter(|item| item.id() == id) {
                item.repeat = true;
            }
        }
        self.ids.remove(id);
    }

    /// Whether the event is there already: the broker delivered it again.
    pub(super) fn holds(&self, item: &Item) -> bool {
        item.seq().get() <= self.have()
            && (place(&self.told, item).is_ok() || place(&self.queue, item).is_ok())
    }

    /// Puts the event in its place, or its tokens to the event that is there already. What came from the store does not
    /// say of which numbering it is, and its delivery does: if the key begins again meanwhile, the event must not be taken
    /// for one of the new numbering.
    pub(super) fn insert(&mut self, item: Box<Item>) {
        if item.seq().get() > self.have() {
            self.ids.add(item.id());
            return self.queue.push_back(item);
        }
        let there = match (place(&self.told, &item), place(&self.queue, &item)) {
            (Ok(place), _) => &mut self.told[place],
            (_, Ok(place)) => &mut self.queue[place],
            // What is at work stays at the front.
            (_, Err(place)) => {
                self.ids.add(item.id());
                return self.queue.insert(place.max(self.running()), item);
            }
        };
        there.event.epoch = there.event.epoch.or(item.event.epoch);
        there.tokens.absorb(item.tokens);
    }
}

fn place(items: &VecDeque<Box<Item>>, item: &Item) -> Result<usize, usize> {
    items.binary_search_by_key(&item.seq(), |item| item.seq())
}
