//! Whatever is said to a key, in whatever order, by whoever: what is promised holds.

mod said;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use self::said::{Said, said};
use super::scene::{A, B, Scene, event};
use crate::event::EventId;
use crate::protocol::{Action, GapPolicy, KeyState, Phase, Verb, Verdict, WorkerId};

const C: &str = "worker-c";
const D: &str = "worker-d";

#[derive(Debug, Clone)]
enum Happening {
    Say(usize, Said),
    Pass(u64),
    Beat(usize),
    Leave(usize),
    PauseGroup(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        60 => (0..3_usize, said()).prop_map(|(worker, said)| Happening::Say(worker, said)),
        6 => (1..700_u64).prop_map(Happening::Pass),
        9 => (0..3_usize).prop_map(Happening::Beat),
        3 => (0..3_usize).prop_map(Happening::Leave),
        1 => any::<bool>().prop_map(Happening::PauseGroup),
    ]
}

/// What the store has said that it keeps, and what became of it.
#[derive(Default)]
struct Ledger {
    taken: BTreeSet<EventId>,
    committed: BTreeSet<EventId>,
    discarded: BTreeSet<EventId>,
}

impl Ledger {
    fn write(&mut self, action: &Action, verdict: &Verdict, before: &KeyState) {
        match (action, verdict) {
            (Action::Offer(event) | Action::Hold(event, _), Verdict::Held(_)) => {
                self.taken.insert(event.id.clone());
            }
            (Action::Commit { event, .. }, Verdict::Committed { .. }) => {
                self.committed.insert(event.id.clone());
            }
            (Action::Postpone(attempt, ..), Verdict::Postponed { .. })
            | (Action::Halt(attempt, _), Verdict::Halted)
            | (Action::DeadLetter { attempt, .. }, Verdict::Committed { .. }) => {
                self.taken.insert(attempt.event.id.clone());
            }
            (Action::Operate(Verb::Discard { seq }), Verdict::Operated(_)) => {
                let epoch = match before.dead_at(seq.get()) {
                    Some(_) => Some(before.epoch),
                    None => before.older_dead(seq.get()),
                };
                let dead = epoch.and_then(|epoch| before.dead.get(&(epoch, seq.get())));
                self.discarded.extend(dead.map(|dead| dead.id.clone()));
            }
            _ => {}
        }
    }

    fn nothing_is_lost(&self, key: &KeyState) {
        for id in &self.taken {
            let held = key.held.values().any(|held| held.id == *id);
            let aside = key.dead.values().any(|dead| dead.id == *id);
            let done = self.committed.contains(id) || self.discarded.contains(id);
            assert!(held || aside || done, "{id} is lost");
        }
    }
}

fn is_absent(key: &KeyState, seq: u64) -> bool {
    let ranges = &key.absent;
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&seq))
}

fn holds_true(scene: &Scene) {
    let (key, bucket) = (&scene.key, &scene.bucket);
    assert_eq!(bucket.held_events, key.held.len() as u64);
    let bytes: u64 = key.held.values().map(|held| held.envelope.size()).sum();
    assert_eq!((key.held_bytes, bucket.held_bytes), (bytes, bytes));
    assert!(
        key.held.keys().all(|seq| *seq > key.last_seq),
        "nothing is held that is done"
    );
    assert!(
        key.done.keys().all(|seq| *seq <= key.last_seq),
        "nothing is done that is to come"
    );
    assert!(key.absent.values().all(|end| *end > key.last_seq));
    claims_hold_true(scene);
    let head_waits = key.held.contains_key(&key.head());
    if key.claim.is_none() && key.phase != Phase::Halted {
        assert!(
            head_waits || !is_absent(key, key.head()),
            "no key waits for what will never come"
        );
    }
    let gap =
        key.claim.is_none() && key.phase != Phase::Halted && !key.held.is_empty() && !head_waits;
    assert_eq!(key.gap_since.is_some(), gap);
    let excused = key.trouble.is_some() || !key.dead.is_empty();
    assert!(
        key.phase == Phase::Open || excused,
        "a key that stands still says why"
    );
}

fn claims_hold_true(scene: &Scene) {
    let key = &scene.key;
    let Some(claim) = &key.claim else {
        return;
    };
    assert_eq!(key.phase, Phase::Open, "what is claimed runs");
    assert!(!claim.granted.is_empty());
    assert!(claim.granted.len() <= scene.policy.lane_depth as usize);
    let mut before = key.last_seq;
    for (place, granted) in claim.granted.iter().enumerate() {
        if granted.seq <= key.last_seq {
            let (_, dead) = key.dead_at(granted.seq).expect("what is replayed is aside");
            assert!(place == 0 && dead.replay && dead.id == granted.id && dead.attempts > 0);
            continue;
        }
        for hole in before + 1..granted.seq {
            assert!(
                is_absent(key, hole),
                "only what will never come is left out"
            );
            assert!(
                !key.held.contains_key(&hole),
                "what is here is not left out"
            );
        }
        assert!(granted.seq > before);
        assert!(place > 0 || key.attempts > 0);
        before = granted.seq;
        let held = key.held.get(&granted.seq);
        assert!(
            held.is_none_or(|held| held.id == granted.id),
            "one event per seq"
        );
    }
}

/// Every seq that a key has behind it was committed, or put aside, or is known to have been passed over.
fn moves_by_the_book(scene: &Scene, before: &KeyState, action: &Action) {
    let after = &scene.key;
    if after.epoch != before.epoch {
        assert!(after.epoch > before.epoch);
        return;
    }
    assert!(after.last_seq >= before.last_seq);
    let done = match action {
        Action::Commit { event, .. } => event.seq.get(),
        Action::DeadLetter { attempt, .. } => attempt.event.seq.get(),
        _ => 0,
    };
    for seq in before.head()..=after.last_seq {
        let passed = after
            .passed
            .iter()
            .any(|passed| (passed.from..=passed.to).contains(&seq));
        let finished = seq == done && seq == before.head();
        assert!(passed != finished, "{seq} is either done or passed over");
    }
}

fn step(scene: &mut Scene, ledger: &mut Ledger, worker: &str, said: &Said) {
    let action = said.action(scene);
    let before = scene.key.clone();
    let owner = before.claim.as_ref().map(|claim| claim.worker.clone());
    let me = WorkerId::new(worker);
    let verdict = scene.say(worker, &action);
    let after = &scene.key;
    assert!(after.fence >= before.fence);
    ledger.write(&action, &verdict, &before);
    moves_by_the_book(scene, &before, &action);
    if let Action::Commit { event, .. } = &action
        && matches!(verdict, Verdict::Committed { .. })
        && event.seq.get() > before.last_seq
    {
        assert_eq!(event.seq.get(), before.head(), "commits are in order");
        assert_eq!(owner, Some(me.clone()), "only the owner commits");
    }
    let new_owner = after.claim.as_ref().map(|claim| claim.worker.clone());
    if new_owner.is_some() && new_owner != owner {
        assert!(after.fence > before.fence, "every grant has a new fence");
        assert_eq!(new_owner, Some(me.clone()));
        if let Some(owner) = owner {
            assert!(
                !scene.bucket.is_alive(&owner, scene.now),
                "no key is taken from the living"
            );
        }
    }
    if matches!(verdict, Verdict::Run(_) | Verdict::Claimed { .. }) {
        assert_eq!(new_owner, Some(me), "what is run is claimed");
    }
    holds_true(scene);
    ledger.nothing_is_lost(&scene.key);
    if matches!(action, Action::Operate(_)) {
        return;
    }
    let mut settled = scene.clone();
    settled.key.forget(scene.now);
    assert_eq!(
        scene.say(worker, &action),
        verdict,
        "the reply was lost: {action:?}"
    );
    assert_eq!(
        scene.key, settled.key,
        "{action:?} changes nothing the second time"
    );
    assert_eq!(scene.bucket, settled.bucket);
}

/// When the trouble is over, a new worker brings everything that is held to its end.
fn everything_held_is_done_in_the_end(scene: &mut Scene, ledger: &mut Ledger) {
    scene.bucket.paused = false;
    scene.now += 1_000_000;
    scene.policy.max_attempts = 1_000;
    for verb in [Verb::Resume, Verb::Retry] {
        scene.say("operator", &Action::Operate(verb));
    }
    for _ in 0..300 {
        if scene.key.held.is_empty() && scene.key.replay().is_none() {
            return;
        }
        scene.beat(D);
        let mut next = match scene.say(D, &Action::Claim) {
            Verdict::Claimed { next, .. } => next,
            Verdict::Idle => {
                let verb = Action::Operate(Verb::Skip { to: None });
                scene.say("operator", &verb);
                ledger.nothing_is_lost(&scene.key);
                continue;
            }
            other => panic!("{other:?}"),
        };
        let mut have = 0;
        while !next.is_empty() {
            let first = next.remove(0);
            have = next.last().map_or(have, |last| last.seq.get());
            let commit = Action::Commit {
                event: event(first.seq.get(), first.id.as_str()),
                fence: scene.key.fence,
                have,
            };
            let before = scene.key.clone();
            let verdict = scene.say(D, &commit);
            ledger.write(&commit, &verdict, &before);
            match verdict {
                Verdict::Committed { next: more, .. } => next.extend(more),
                other => panic!("{other:?}"),
            }
            holds_true(scene);
            ledger.nothing_is_lost(&scene.key);
        }
    }
    panic!("it goes on for ever: {:?}", scene.key);
}

fn gap_policy() -> impl Strategy<Value = GapPolicy> {
    let after = || (0..500_u64).prop_map(Duration::from_millis);
    prop_oneof![
        Just(GapPolicy::Wait),
        after().prop_map(|after| GapPolicy::Skip { after }),
        after().prop_map(|after| GapPolicy::Halt { after }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_promises_hold(
        happenings in prop::collection::vec(happening(), 1..80),
        depth in 1..5_u32,
        next in 1..4_u32,
        attempts in 1..4_u32,
        events in 1..6_u64,
        ttl in prop_oneof![Just(0_u64), 1..2_000_u64],
        on_gap in gap_policy(),
    ) {
        let mut scene = Scene::with(|policy| {
            policy.lane_depth = depth;
            policy.next_events = next;
            policy.max_attempts = attempts;
            policy.key_quota.events = events;
            policy.dedup_ttl = Duration::from_millis(ttl);
            policy.on_gap = on_gap;
        });
        let mut ledger = Ledger::default();
        for happening in &happenings {
            match happening {
                Happening::Say(worker, said) => {
                    step(&mut scene, &mut ledger, [A, B, C][*worker], said);
                }
                Happening::Pass(millis) => scene.now += millis,
                Happening::Beat(worker) => scene.beat([A, B, C][*worker]),
                Happening::Leave(worker) => {
                    scene.bucket.leases.remove(&WorkerId::new([A, B, C][*worker]));
                }
                Happening::PauseGroup(paused) => scene.bucket.paused = *paused,
            }
        }
        everything_held_is_done_in_the_end(&mut scene, &mut ledger);
    }
}
