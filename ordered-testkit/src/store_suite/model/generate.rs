use std::ops::Range;

use bytes::Bytes;
use fastrand::Rng;
use ordered_core::event::{EventId, Key};
use ordered_core::protocol::{Fence, Policy, Quota};
use ordered_core::store::{
    Acquire, AcquireMode, Change, Letter, ListingChange, NEVER_DUE, PutMode, Save, Slot,
};

use super::run::{Groups, WORKERS};
use super::step::{Ask, Claim, Step, Who};
use crate::store_suite::fixture::{START, id, key};
use crate::texts::TEXTS;

/// Times are multiples of this, so that they often meet exactly.
const TICK: u64 = 10;

/// Makes up sequences.
pub(super) struct Generator {
    rng: Rng,
    keys: Vec<Key>,
    ids: Vec<EventId>,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut texts = TEXTS.to_vec();
        rng.shuffle(&mut texts);
        Self {
            keys: texts[..3].iter().map(|text| key(text)).collect(),
            ids: texts[3..8].iter().map(|text| id(text)).collect(),
            rng,
        }
    }

    pub(super) fn groups(&mut self) -> Groups {
        [self.policy(), self.policy()]
    }

    fn policy(&mut self) -> Policy {
        let rng = &mut self.rng;
        let mut policy = Policy::default();
        policy.key_quota = Quota {
            events: rng.u64(1..5),
            bytes: [12, 40, u64::MAX][rng.usize(..3)],
        };
        policy.group_quota = Quota {
            events: rng.u64(2..16),
            bytes: [30, 120, u64::MAX][rng.usize(..3)],
        };
        policy
    }

    pub(super) fn steps(&mut self, count: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        for group in 0..2 {
            for worker in 0..WORKERS {
                if self.rng.u8(..) < 220 {
                    steps.push(Step::Heartbeat(group, worker, self.lease()));
                }
            }
        }
        steps.extend((0..count).map(|_| self.step()));
        for group in 0..2 {
            steps.push(self.sweep(group));
            steps.push(Step::Compare(group, self.keys.clone()));
        }
        steps
    }

    fn step(&mut self) -> Step {
        // Most is said in one group, so that it meets what was said before.
        let group = usize::from(self.rng.u8(..) < 50);
        let worker = self.rng.usize(..WORKERS);
        match self.rng.u32(0..100) {
            0..62 => self.exchange(group, worker),
            62..72 => Step::Heartbeat(group, worker, self.lease()),
            72..74 => Step::Leave(group, worker),
            74 => Step::Open(group, worker),
            75..81 => self.sweep(group),
            81 => Step::Pause(group, self.rng.bool()),
            82..95 => Step::Advance(self.ticks(1..9)),
            95 => Step::Advance(self.ticks(1..400)),
            96 => Step::Back(self.ticks(1..400)),
            _ => Step::Compare(group, self.keys.clone()),
        }
    }

    fn ticks(&mut self, range: Range<u64>) -> u64 {
        self.rng.u64(range) * TICK
    }

    fn lease(&mut self) -> u64 {
        self.ticks(2..12) * 2
    }

    fn sweep(&mut self, group: usize) -> Step {
        Step::Sweep {
            group,
            longest_wait: self.ticks(0..30),
            stuck_after: self.ticks(0..20),
        }
    }

    fn exchange(&mut self, group: usize, worker: usize) -> Step {
        let mut keys = self.keys.clone();
        self.rng.shuffle(&mut keys);
        keys.truncate(self.rng.usize(1..=2));
        let who = match self.rng.u8(..) {
            0..120 => Who::Owner,
            _ => Who::Worker(worker),
        };
        let saves = match who {
            Who::Owner => 200,
            Who::Worker(_) => 60,
        };
        let mut asks = Vec::new();
        for key in keys {
            asks.push(if self.rng.u8(..) < saves {
                Ask::Save(self.claim(), Box::new(self.save(key)))
            } else {
                Ask::Acquire(self.acquire(key))
            });
        }
        Step::Exchange(group, who, asks)
    }

    fn claim(&mut self) -> Claim {
        match self.rng.u8(..) {
            0..10 => Claim::Before,
            10..20 => Claim::Never,
            _ => Claim::Last,
        }
    }

    fn acquire(&mut self, key: Key) -> Acquire {
        let mode = match self.rng.u8(..) {
            0..30 => AcquireMode::HandOver,
            30..50 => AcquireMode::Steal,
            _ => AcquireMode::Ask,
        };
        let letters = (0..self.rng.usize(..4)).map(|_| (self.held(), self.letter()));
        let letters = letters.collect();
        Acquire {
            key,
            mode,
            letters,
            look_up: self.some_ids(),
        }
    }

    fn save(&mut self, key: Key) -> Save {
        Save {
            body: (self.rng.u8(..) < 150).then(|| self.bytes(12)),
            changes: (0..self.rng.usize(..5)).map(|_| self.change()).collect(),
            listing: self.listing(),
            remember: self.some_ids(),
            look_up: self.some_ids(),
            fetch: (0..self.rng.usize(..4)).map(|_| self.slot()).collect(),
            taken: self.rng.usize(..4).saturating_sub(1),
            release: self.rng.u8(..) < 80,
            ..Save::new(key, Fence(0))
        }
    }

    fn change(&mut self) -> Change {
        match self.rng.u8(..) {
            0..150 => Change::Put {
                slot: self.slot(),
                letter: self.letter(),
                mode: match self.rng.u8(..) {
                    0..130 => PutMode::New,
                    130..200 => PutMode::Force,
                    _ => PutMode::Replace,
                },
            },
            150..205 => Change::Delete(self.slot()),
            _ => Change::Move {
                from: self.slot(),
                to: self.slot(),
                note: self.bytes(6),
            },
        }
    }

    fn listing(&mut self) -> ListingChange {
        ListingChange {
            due: (self.rng.u8(..) < 90).then(|| self.time()),
            gap: (self.rng.u8(..) < 60).then(|| self.time()),
            halted: (self.rng.u8(..) < 60).then(|| self.time()),
        }
    }

    /// A time around those that a sequence passes through, or none.
    fn time(&mut self) -> Option<u64> {
        match self.rng.u8(..) {
            0..70 => None,
            70..90 => Some(NEVER_DUE),
            _ => Some(START + self.ticks(0..120) - 20 * TICK),
        }
    }

    fn held(&mut self) -> Slot {
        Slot::Held(self.rng.u64(1..6))
    }

    fn slot(&mut self) -> Slot {
        match self.rng.u8(..) {
            0..60 => Slot::Dead {
                epoch: self.rng.u64(..2),
                seq: self.rng.u64(1..4),
            },
            _ => self.held(),
        }
    }

    fn letter(&mut self) -> Letter {
        Letter {
            id: self.ids[self.rng.usize(..self.ids.len())].clone(),
            note: self.bytes(6),
            data: self.bytes(20),
        }
    }

    fn some_ids(&mut self) -> Vec<EventId> {
        let count = self.rng.usize(..4).saturating_sub(1);
        let some = |_| self.ids[self.rng.usize(..self.ids.len())].clone();
        (0..count).map(some).collect()
    }

    fn bytes(&mut self, most: usize) -> Bytes {
        let length = self.rng.usize(..most);
        (0..length).map(|_| self.rng.u8(..)).collect()
    }
}
