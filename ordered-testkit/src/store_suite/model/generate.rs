use std::time::Duration;

use fastrand::Rng;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::protocol::{
    Action, Attempt, Command, Event, Fence, GapPolicy, Policy, Quota, WorkerId,
};

use super::shadow::Shadow;
use super::step::Step;
use super::verbs;

/// Keys and ids that a store which joins names carelessly takes for one another.
const TEXTS: [&str; 14] = [
    "a", "b", "1:a", "a:1", "1", "{a}", "}:{", "a\nb", "\0", "a b", "😀", "%", "5:a", "x",
];
/// A store may give time a meaning of its own (Redis expires keys), so it runs far ahead of the real one.
pub(in crate::store_suite) const START: u64 = 4_102_444_800_000;

/// Times are multiples of this, so that they often meet exactly.
const TICK: u64 = 10;

/// How the ids of a sequence are made.
#[derive(Clone, Copy)]
enum Ids {
    /// Of key and seq.
    Texts,
    /// UUIDs.
    Uuids,
    /// What is nearly a UUID, as long as one is in bytes, or looks like one that is written short.
    Odd,
    /// The same for all keys.
    Shared,
    /// One or two for all events.
    Few,
}

pub(super) struct Generator {
    rng: Rng,
    ids: Ids,
    shadow: Shadow,
    keys: Vec<Key>,
    workers: Vec<WorkerId>,
}

impl Generator {
    pub(super) fn new(seed: u64, buckets: u32) -> Self {
        let mut rng = Rng::with_seed(seed);
        let policy = policy(&mut rng);
        let mut texts = TEXTS.to_vec();
        rng.shuffle(&mut texts);
        let keys: Vec<Key> = texts[..3].iter().map(|text| key(text)).collect();
        Self {
            shadow: Shadow::new(policy, &keys, buckets, START),
            workers: ["w1", "w2", "w:3"].map(WorkerId::new).into(),
            ids: [Ids::Texts, Ids::Uuids, Ids::Odd, Ids::Shared, Ids::Few][rng.usize(..5)],
            keys,
            rng,
        }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.shadow.policy
    }

    pub(super) fn steps(&mut self, count: usize) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..count {
            let step = self.step(steps.last());
            steps.push(step);
        }
        steps.push(Step::Sweep);
        steps.push(Step::Inspect(self.keys.clone()));
        steps.push(self.look_over());
        steps
    }

    fn step(&mut self, last: Option<&Step>) -> Step {
        match self.rng.u32(0..100) {
            0..48 => self.apply(),
            48..57 => self.operate(),
            57 => {
                let paused = self.rng.bool();
                self.shadow.pause(paused);
                Step::PauseGroup(paused)
            }
            58..60 => self.look_over(),
            // The reply was lost, and the worker says all of it again.
            60..72 => match last {
                Some(Step::Apply(worker, commands)) => {
                    for command in commands {
                        self.shadow.apply(worker, command);
                    }
                    Step::Apply(worker.clone(), commands.clone())
                }
                _ => self.apply(),
            },
            72..80 => {
                let lease = self.rng.u64(1..12) * TICK;
                let worker = self.worker();
                self.shadow
                    .set_lease(&worker, Some(self.shadow.now + lease));
                Step::Heartbeat(worker, Duration::from_millis(lease))
            }
            80..82 => {
                let worker = self.worker();
                self.shadow.set_lease(&worker, None);
                Step::Leave(worker)
            }
            82..90 => {
                let most = if self.rng.u8(..) < 200 { 6 } else { 300 };
                let millis = self.rng.u64(1..most) * TICK;
                self.shadow.now += millis;
                Step::Pass(millis)
            }
            90..96 => Step::Sweep,
            _ => Step::Inspect(self.keys.clone()),
        }
    }

    fn some_key(&mut self) -> Key {
        self.keys[self.rng.usize(..self.keys.len())].clone()
    }

    fn operate(&mut self) -> Step {
        let key = self.some_key();
        let verb = verbs::some(&mut self.rng, &self.shadow.keys[&key]);
        let dry_run = self.rng.u8(..) < 50;
        if !dry_run {
            let command = Command {
                key: key.clone(),
                action: Action::Operate(verb.clone()),
            };
            self.shadow.apply(&WorkerId::new("operator:ada"), &command);
        }
        Step::Operate(key, verb, dry_run)
    }

    fn look_over(&mut self) -> Step {
        let place = |_| {
            let key = self.some_key();
            let seq = verbs::seq_near(&mut self.rng, &self.shadow.keys[&key]);
            (key, seq)
        };
        Step::LookOver((0..6).map(place).collect())
    }

    fn worker(&mut self) -> WorkerId {
        self.workers[self.rng.usize(..self.workers.len())].clone()
    }

    fn apply(&mut self) -> Step {
        let key = self.some_key();
        let owner = self.shadow.keys[&key].claim.as_ref();
        let worker = match owner {
            Some(claim) if self.rng.u8(..) < 200 => claim.worker.clone(),
            _ => self.worker(),
        };
        let mut commands = Vec::new();
        let mut key = key;
        // Now and then a run of events comes too early, so that there is something to hand back.
        let early = self.rng.u8(..) < 50;
        for place in 0..self.rng.u64(1..7) {
            let action = if early {
                let seq = (self.shadow.keys[&key].head() + 1 + place).min(Seq::MAX.get());
                Action::Hold(self.event_at(&key, seq), self.envelope())
            } else {
                self.action(&key)
            };
            let command = Command {
                action,
                key: key.clone(),
            };
            self.shadow.apply(&worker, &command);
            commands.push(command);
            if !early && self.rng.u8(..) < 60 {
                key = self.some_key();
            }
        }
        Step::Apply(worker, commands)
    }

    fn action(&mut self, key: &Key) -> Action {
        let state = &self.shadow.keys[key];
        let (last, head, attempts) = (state.last_seq, state.head(), state.attempts);
        let fence = Fence(match self.rng.u32(0..20) {
            0 => state.fence.0.saturating_sub(1),
            1 => state.fence.0 + 1,
            _ => state.fence.0,
        });
        match self.rng.u32(0..100) {
            0..22 => Action::Offer(self.event(key, last)),
            22..46 => Action::Hold(self.event(key, last), self.envelope()),
            46..50 => Action::DeadLetter {
                attempt: self.attempt(key, fence, attempts),
                envelope: self.envelope(),
                have: (head + self.rng.u64(0..6)).saturating_sub(2),
            },
            50..70 => {
                let event = self.head_event(key);
                let have = (head + self.rng.u64(0..6)).saturating_sub(2);
                Action::Commit { event, fence, have }
            }
            70..74 => {
                let from = self.event(key, last).seq;
                let to = (from.get() + self.rng.u64(0..4)).min(Seq::MAX.get());
                Action::Fill {
                    from,
                    to: Seq::new(to).expect("it is in bounds"),
                }
            }
            74 => {
                let epoch = self.shadow.keys[key].epoch;
                let epoch = [None, Some(epoch), Some(epoch + 1), Some(epoch + 2)];
                Action::Reset {
                    at: self.event(key, last).seq,
                    epoch: epoch[self.rng.usize(..4)],
                }
            }
            75 => Action::Operate(verbs::some(&mut self.rng, &self.shadow.keys[key])),
            76..80 => Action::Retry(self.attempt(key, fence, attempts)),
            80..86 => {
                let delay = Duration::from_millis(self.rng.u64(0..8) * TICK);
                Action::Postpone(self.attempt(key, fence, attempts), self.envelope(), delay)
            }
            86..88 => Action::Halt(self.attempt(key, fence, attempts), self.envelope()),
            88..92 => Action::Release { fence },
            _ => Action::Claim,
        }
    }

    fn attempt(&mut self, key: &Key, fence: Fence, attempts: u32) -> Attempt {
        Attempt {
            event: self.head_event(key),
            fence,
            number: (attempts + self.rng.u32(0..5) / 3).saturating_sub(self.rng.u32(0..5) / 4),
            error: format!("no luck\0 {}", self.rng.u8(..)),
        }
    }

    /// Some event around the head.
    fn event(&mut self, key: &Key, last: u64) -> Event {
        let seq = (last + self.rng.u64(0..7)).saturating_sub(1);
        let seq = seq.clamp(1, Seq::MAX.get());
        self.event_at(key, seq)
    }

    /// The event that is granted at the head, or nearly.
    fn head_event(&mut self, key: &Key) -> Event {
        let state = &self.shadow.keys[key];
        let granted = state.claim.as_ref().and_then(|claim| claim.granted.front());
        let (granted, last) = (granted.cloned(), state.last_seq);
        if let Some(granted) = granted
            && self.rng.u8(..) < 220
        {
            return Event {
                seq: Seq::new(granted.seq).expect("it is in bounds"),
                id: granted.id,
                epoch: None,
            };
        }
        let seq = last + self.rng.u64(0..3);
        self.event_at(key, seq.clamp(1, Seq::MAX.get()))
    }

    /// Every seq has an id of its own; now and then another producer has used it for something else.
    fn event_at(&mut self, key: &Key, seq: u64) -> Event {
        let id = match self.rng.u32(0..10) {
            0 => TEXTS[self.rng.usize(..TEXTS.len())].to_owned(),
            1 => id_of(self.ids, key, seq.saturating_sub(self.rng.u64(0..4))),
            _ => id_of(self.ids, key, seq),
        };
        Event {
            seq: Seq::new(seq).expect("it is in bounds"),
            id: EventId::new(id).expect("it is neither empty nor long"),
            epoch: (self.rng.u8(..) < 8).then(|| self.rng.u64(0..3)),
        }
    }

    fn envelope(&mut self) -> Envelope {
        let body: Vec<u8> = (0..self.rng.usize(0..40))
            .map(|_| self.rng.u8(..))
            .collect();
        let mut envelope = Envelope::new(body);
        if self.rng.u8(..) < 40 {
            envelope.headers.insert("h".into(), "{\n\0é".into());
            envelope.published_at = Some(self.rng.u64(..));
        }
        envelope
    }
}

fn id_of(ids: Ids, key: &Key, seq: u64) -> String {
    let uuid = |key: &str, seq: u64| {
        let of_key = key
            .bytes()
            .fold(0xff_u64, |all, byte| all * 31 + u64::from(byte));
        let of_key = of_key % 0x1_0000_0000;
        format!("{of_key:08x}-0000-4000-8000-{:012x}", seq % (1 << 48))
    };
    match ids {
        Ids::Texts => format!("{key}#{seq}"),
        Ids::Uuids => uuid(key.as_str(), seq),
        Ids::Odd => match seq % 5 {
            0 => uuid(key.as_str(), seq).to_uppercase(),
            1 => uuid(key.as_str(), seq).replace('-', "+"),
            2 => format!("{:016}", seq % 1_000_000),
            3 => format!("\u{ff}{:014}", seq % 1_000_000),
            _ => uuid(key.as_str(), seq),
        },
        Ids::Shared => uuid("", seq),
        Ids::Few => uuid("", seq % 2),
    }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("it is neither empty nor long")
}

fn policy(rng: &mut Rng) -> Policy {
    let mut policy = Policy::default();
    policy.first_seq = [1, 1, 0, 7, 14, (1 << 34) - 2, Seq::MAX.get() - 4][rng.usize(..7)];
    policy.max_attempts = rng.u32(1..5);
    policy.dedup_ttl = Duration::from_millis([0, 3, 50, 80, 301, 60_000][rng.usize(..6)]);
    let after = Duration::from_millis(rng.u64(0..12) * TICK);
    policy.on_gap = [
        GapPolicy::Wait,
        GapPolicy::Skip { after },
        GapPolicy::Halt { after },
    ][rng.usize(..3)];
    policy.stuck_after = Duration::from_millis(rng.u64(0..20) * TICK);
    policy.lane_depth = rng.u32(0..6);
    policy.next_events = rng.u32(0..5);
    policy.next_bytes = [0, 20, 40, 1 << 20][rng.usize(..4)];
    policy.key_quota = Quota {
        events: rng.u64(1..6),
        bytes: [30, 100, u64::MAX][rng.usize(..3)],
    };
    policy.group_quota = Quota {
        events: rng.u64(2..16),
        bytes: [80, 300, u64::MAX][rng.usize(..3)],
    };
    policy
}
