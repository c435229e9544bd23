//! What one seed is about: the rules, the events, and what may go wrong.

use std::time::Duration;

use crate::event::{EventId, Key, Seq};
use crate::handler::{OnExhausted, OnPassed, OnRepeat};
use crate::protocol::engine::Rules;
use crate::protocol::{GapPolicy, Policy, Quota};
use crate::worker::Control;

/// How long a lease is.
pub(super) const LEASE: u64 = 1_000;

/// What is published, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// An event.
    Event {
        seq: u64,
        epoch: Option<u64>,
        id: EventId,
    },
    /// A control message.
    Control(Control),
}

/// What may go wrong in a world, in thousandths of the steps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) crashes: u32,
    pub(super) lost_calls: u32,
    pub(super) lapses: u32,
    pub(super) clock_jumps: u32,
    pub(super) drains: u32,
    pub(super) operators: u32,
    pub(super) pauses: u32,
    pub(super) failures: u32,
    pub(super) killers: bool,
    pub(super) lost_acks: u32,
    pub(super) state_loss: bool,
}

/// What one seed is about.
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) random: fastrand::Rng,
    pub(super) workers: usize,
    pub(super) rules: Rules,
    pub(super) faults: Faults,
    pub(super) keys: Vec<Key>,
    pub(super) published: Vec<(Key, What)>,
    pub(super) steps: usize,
}

impl Scenario {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let faults = faults(&mut random);
        let rules = rules(&mut random);
        let names = ["a", "b", "c"];
        let keys: Vec<Key> = names[..random.usize(1..=3)]
            .iter()
            .map(|name| Key::new(name).expect("it is short"))
            .collect();
        let mut published = Vec::new();
        for key in &keys {
            published.extend(
                events(key, rules.policy.first_seq, &mut random)
                    .into_iter()
                    .map(|w| (key.clone(), w)),
            );
        }
        // What comes out of order mostly comes near its place.
        let spread = [1, 3, 10, 1_000][random.usize(0..4)];
        let mut places: Vec<(usize, (Key, What))> = published
            .into_iter()
            .enumerate()
            .map(|(place, what)| (place % 50 + random.usize(0..spread), what))
            .collect();
        places.sort_by_key(|(place, _)| *place);
        Self {
            seed,
            workers: random.usize(1..=3),
            rules,
            faults,
            keys,
            published: places.into_iter().map(|(_, what)| what).collect(),
            steps: random.usize(100..700),
            random,
        }
    }
}

fn faults(random: &mut fastrand::Rng) -> Faults {
    let mut some = |most: u32| {
        if random.bool() {
            random.u32(0..=most)
        } else {
            0
        }
    };
    Faults {
        crashes: some(15),
        lost_calls: some(200),
        lapses: some(15),
        clock_jumps: some(15),
        drains: some(10),
        operators: some(30),
        pauses: some(5),
        failures: some(400),
        killers: some(10) > 5,
        lost_acks: some(100),
        state_loss: some(100) > 90,
    }
}

fn rules(random: &mut fastrand::Rng) -> Rules {
    let mut policy = Policy {
        max_attempts: Some(random.u32(2..=3)),
        max_crashes: random.u32(2..=3),
        lane_depth: random.u32(2..=6),
        next_events: random.u32(1..=4),
        ..Policy::default()
    };
    let after = Duration::from_millis(random.u64(200..3_000));
    policy.on_gap = match random.u32(0..6) {
        0 => GapPolicy::Skip { after },
        1 => GapPolicy::Halt { after },
        2 => GapPolicy::Repair { after },
        _ => GapPolicy::Wait,
    };
    if random.u32(0..4) == 0 {
        policy.key_quota.events = random.u64(1..5);
    }
    if random.u32(0..5) == 0 {
        policy.group_quota = Quota {
            events: random.u64(1..6),
            ..policy.group_quota
        };
    }
    if random.u32(0..8) == 0 {
        policy.dedup_ttl = Duration::from_millis(random.u64(500..5_000));
    }
    if random.u32(0..3) == 0 {
        policy.first_seq = 0;
    }
    let ahead = random.bool();
    Rules {
        worker: String::new(),
        policy,
        batch: if ahead { random.u32(1..=4) } else { 1 },
        commit_window: if ahead { random.u32(0..=3) } else { 0 },
        on_exhausted: [OnExhausted::Halt, OnExhausted::DeadLetter][random.usize(0..2)],
        on_late: [OnPassed::DeadLetter, OnPassed::Drop][random.usize(0..2)],
        on_stale: [OnPassed::DeadLetter, OnPassed::Drop][random.usize(0..2)],
        on_repeat: OnRepeat::Skip,
        own_backoff: Duration::from_millis([0, 100_000][random.usize(0..2)]),
        concurrency: random.usize(1..=3),
        max_keys: random.usize(1..=4),
        read_ahead: random.usize(4..40),
        overflow: random.bool(),
    }
}

/// The events of a key, with what its producer says beside them.
fn events(key: &Key, first: u64, random: &mut fastrand::Rng) -> Vec<What> {
    let mut published = Vec::new();
    let epochs = if random.u32(0..6) == 0 { 2 } else { 1 };
    let (repeats, conflicts) = (random.u32(0..4) == 0, random.u32(0..4) == 0);
    let twice = random.u32(0..4) == 0;
    for epoch in 0..epochs {
        let named = (epochs > 1).then_some(epoch);
        if epoch > 0 {
            let at = Seq::new(first).expect("it is small");
            published.push(What::Control(Control::Reset { at, epoch: named }));
        }
        let last = random.u64(3..=12);
        // A fill names no epoch.
        let fill = (epochs == 1 && random.u32(0..4) == 0).then(|| {
            let from = random.u64(first..last);
            (from, random.u64(from..last))
        });
        for seq in first..=last {
            let is_filled = fill.is_some_and(|(from, to)| (from..=to).contains(&seq));
            // Some events come all the same.
            if is_filled && random.u32(0..4) > 0 {
                continue;
            }
            let of = if repeats && seq > first && random.u32(0..4) == 0 {
                random.u64(first..seq)
            } else {
                seq
            };
            let event = |id: String| What::Event {
                seq,
                epoch: named,
                id: EventId::new(id).expect("it is short"),
            };
            let own = event(format!("{key}-{epoch}-{of}"));
            if twice && random.u32(0..3) == 0 {
                published.push(own.clone());
            }
            published.push(own);
            if conflicts && random.u32(0..5) == 0 {
                published.push(event(format!("{key}-{epoch}-{seq}-other")));
            }
        }
        if let Some((from, to)) = fill {
            let seq = |seq| Seq::new(seq).expect("it is positive");
            published.push(What::Control(Control::GapFill {
                from: seq(from),
                to: seq(to),
            }));
        }
    }
    published
}
