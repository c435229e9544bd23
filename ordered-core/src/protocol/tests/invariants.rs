use std::time::Duration;

use proptest::prelude::*;

use super::scene::{A, B, Scene, event, id_of};
use crate::event::Envelope;
use crate::protocol::{Action, Attempt, Fence, Phase, Verdict, WorkerId};

const C: &str = "worker-c";

/// One thing that happens, with places relative to where the key is.
#[derive(Debug, Clone)]
enum Happening {
    Say(usize, Said),
    Pass(u64),
    Beat(usize),
    Leave(usize),
}

#[derive(Debug, Clone)]
enum Said {
    Offer(u64, bool),
    Hold(u64, usize),
    Commit {
        ahead: u64,
        fence_back: u64,
        have: u64,
    },
    Retry(u32),
    Postpone(u64),
    Halt,
    Release,
    Claim,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        5 => (0..6_u64, prop::bool::weighted(0.1)).prop_map(|(at, odd)| Said::Offer(at, odd)),
        5 => (0..6_u64, 0..40_usize).prop_map(|(at, bytes)| Said::Hold(at, bytes)),
        8 => (0..3_u64, prop::bool::weighted(0.1), 0..5_u64).prop_map(|(ahead, old, have)| {
            Said::Commit { ahead, fence_back: u64::from(old), have }
        }),
        1 => (0..3_u32).prop_map(Said::Retry),
        2 => (0..400_u64).prop_map(Said::Postpone),
        1 => Just(Said::Halt),
        1 => Just(Said::Release),
        2 => Just(Said::Claim),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        20 => (0..3_usize, said()).prop_map(|(worker, said)| Happening::Say(worker, said)),
        2 => (1..700_u64).prop_map(Happening::Pass),
        3 => (0..3_usize).prop_map(Happening::Beat),
        1 => (0..3_usize).prop_map(Happening::Leave),
    ]
}

impl Said {
    fn action(&self, scene: &Scene) -> Action {
        let key = &scene.key;
        let at = |ahead: u64| (key.last_seq + ahead).saturating_sub(1).max(1);
        let granted = key.claim.as_ref().and_then(|claim| claim.granted.front());
        let head_id = granted.map_or_else(|| id_of(key.head()), |id| id.as_str().to_owned());
        let attempt = |number| Attempt {
            event: event(key.head(), &head_id),
            fence: key.fence,
            number,
            error: "no".into(),
        };
        match self {
            Self::Offer(ahead, true) => Action::Offer(event(at(*ahead), "odd")),
            Self::Offer(ahead, false) => Action::Offer(event(at(*ahead), &id_of(at(*ahead)))),
            Self::Hold(ahead, bytes) => {
                let envelope = Envelope::new(vec![0; *bytes]);
                Action::Hold(event(at(*ahead), &id_of(at(*ahead))), envelope)
            }
            Self::Commit {
                ahead,
                fence_back,
                have,
            } => {
                let seq = (key.last_seq + ahead).max(1);
                let id = if *ahead == 1 { head_id } else { id_of(seq) };
                Action::Commit {
                    event: event(seq, &id),
                    fence: Fence(key.fence.0.saturating_sub(*fence_back)),
                    have: (key.last_seq + have).min(key.granted_upto()),
                }
            }
            Self::Retry(more) => Action::Retry(attempt(key.attempts + more)),
            Self::Postpone(millis) => Action::Postpone(
                attempt(key.attempts),
                Envelope::new("late"),
                Duration::from_millis(*millis),
            ),
            Self::Halt => Action::Halt(attempt(key.attempts), Envelope::new("bad")),
            Self::Release => Action::Release { fence: key.fence },
            Self::Claim => Action::Claim,
        }
    }
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
    if let Some(claim) = &key.claim {
        assert!(!claim.granted.is_empty() && key.attempts > 0);
        assert_eq!(key.phase, Phase::Open, "what is claimed runs");
        assert!(claim.granted.len() as u64 <= u64::from(scene.policy.lane_depth));
        for (seq, id) in (key.head()..).zip(&claim.granted) {
            assert!(
                key.held.get(&seq).is_none_or(|held| held.id == *id),
                "one event per seq"
            );
        }
    }
    if key.phase != Phase::Open && key.trouble.is_none() {
        panic!("a key that stands still says why");
    }
}

fn step(scene: &mut Scene, worker: &str, said: &Said) {
    let action = said.action(scene);
    let before = scene.key.clone();
    let owner = before.claim.as_ref().map(|claim| claim.worker.clone());
    let me = WorkerId::new(worker);
    let verdict = scene.say(worker, &action);
    let after = &scene.key;
    assert!(after.fence >= before.fence);
    match (&action, &verdict) {
        (Action::Commit { event, .. }, Verdict::Committed { .. })
            if event.seq.get() > before.last_seq =>
        {
            assert_eq!(
                after.last_seq,
                before.last_seq + 1,
                "commits are exactly 1, 2, 3, …"
            );
            assert_eq!(owner, Some(me.clone()), "only the owner commits");
        }
        _ => assert_eq!(after.last_seq, before.last_seq),
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
    ) {
        let mut scene = Scene::with(|policy| {
            policy.lane_depth = depth;
            policy.next_events = next;
            policy.max_attempts = attempts;
            policy.key_quota.events = events;
            policy.dedup_ttl = Duration::from_millis(ttl);
        });
        for happening in &happenings {
            match happening {
                Happening::Say(worker, said) => step(&mut scene, [A, B, C][*worker], said),
                Happening::Pass(millis) => scene.now += millis,
                Happening::Beat(worker) => scene.beat([A, B, C][*worker]),
                Happening::Leave(worker) => {
                    scene.bucket.leases.remove(&WorkerId::new([A, B, C][*worker]));
                }
            }
        }
    }
}
