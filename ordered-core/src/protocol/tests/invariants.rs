//! Whatever happens to a key, in whatever order: what is promised holds.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::scene::{Scene, held, id, id_of, seq};
use crate::protocol::{Fence, GapPolicy, Verb};
use crate::protocol::{KeyState, Phase, Placement};
use crate::store::{Listing, PutMode, Slot};

/// Something that happens, at a place relative to where the key is.
#[derive(Debug, Clone)]
enum Step {
    /// An event is delivered to the owner, which runs or holds it.
    Deliver {
        ahead: u64,
        odd: bool,
    },
    /// An event is posted by another worker.
    Post {
        ahead: u64,
        odd: bool,
    },
    /// What may run next runs.
    Run(Outcome),
    Fill(u64, u64),
    Reset(u64, u64),
    Died,
    Trial,
    Pass(u64),
    Back(u64),
    Operate(Wish),
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Commit,
    Retry,
    Postpone,
    Halt,
    DeadLetter,
}

#[derive(Debug, Clone)]
enum Wish {
    Retry,
    Skip(Option<u64>),
    Discard(u64),
    Edit(u64),
    SetLast(u64),
    Pause,
    Resume,
    Replay(Option<u64>),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        Just(Wish::Retry),
        prop::option::of(0..6_u64).prop_map(Wish::Skip),
        (0..6_u64).prop_map(Wish::Discard),
        (0..6_u64).prop_map(Wish::Edit),
        (0..6_u64).prop_map(Wish::SetLast),
        Just(Wish::Pause),
        Just(Wish::Resume),
        prop::option::of(0..6_u64).prop_map(Wish::Replay),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Commit),
        1 => Just(Outcome::Retry),
        1 => Just(Outcome::Postpone),
        1 => Just(Outcome::Halt),
        1 => Just(Outcome::DeadLetter),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let odd = || prop::bool::weighted(0.2);
    prop_oneof![
        10 => (0..8_u64, odd()).prop_map(|(ahead, odd)| Step::Deliver { ahead, odd }),
        6 => (0..8_u64, odd()).prop_map(|(ahead, odd)| Step::Post { ahead, odd }),
        14 => outcome().prop_map(Step::Run),
        2 => (0..6_u64, 0..4_u64).prop_map(|(at, more)| Step::Fill(at, more)),
        1 => (1..6_u64, 0..4_u64).prop_map(|(at, epoch)| Step::Reset(at, epoch)),
        2 => Just(Step::Died),
        1 => Just(Step::Trial),
        3 => (0..3_000_u64).prop_map(Step::Pass),
        1 => (0..500_u64).prop_map(Step::Back),
        6 => wish().prop_map(Step::Operate),
    ]
}

fn verb(wish: &Wish, (head, least): (u64, u64)) -> Verb {
    let at = |ahead: &u64| seq((head + ahead).saturating_sub(3).max(least));
    match wish {
        Wish::Retry => Verb::Retry,
        Wish::Skip(to) => Verb::Skip {
            to: to.as_ref().map(at),
        },
        Wish::Discard(place) => Verb::Discard { seq: at(place) },
        Wish::Edit(place) => Verb::Edit {
            seq: at(place),
            body: "edited".into(),
        },
        Wish::SetLast(to) => Verb::SetLast { to: at(to).get() },
        Wish::Pause => Verb::Pause,
        Wish::Resume => Verb::Resume,
        Wish::Replay(only) => Verb::Replay {
            seq: only.as_ref().map(at),
        },
    }
}

/// A scene with what has to be known besides the state.
struct World {
    scene: Scene,
    /// What was posted, and may lie anywhere.
    posted: BTreeSet<u64>,
    /// What is at the head in the memory of the owner.
    delivered: BTreeSet<u64>,
}

impl World {
    fn step(&mut self, step: &Step) {
        let head = self.scene.state.head();
        let least = self.scene.policy.first_seq.min(1);
        let at = |ahead: u64| (head + ahead).saturating_sub(3).max(least);
        match step {
            Step::Deliver { ahead, odd } => self.deliver(at(*ahead), *odd),
            Step::Post { ahead, odd } => {
                let seq = at(*ahead);
                let id = event_id(seq, *odd);
                self.scene.post(seq, &id);
                self.posted.insert(seq);
            }
            Step::Run(outcome) => self.run(*outcome),
            Step::Fill(from, more) => {
                let (from, delivered) = (at(*from), self.delivered.clone());
                let fill = |scene: &mut Scene| {
                    scene.change(|transition| transition.fill(from, from + more, delivered));
                };
                fill(&mut self.scene);
            }
            Step::Reset(at, epoch) => {
                let delivered = self.delivered.clone();
                self.scene.change(|transition| {
                    transition.reset(*at, Some(*epoch), delivered);
                });
            }
            Step::Died => {
                self.delivered.clear();
                self.scene
                    .change(|transition| transition.owner_died("worker-a"));
            }
            Step::Trial => self.scene.change(|transition| transition.begin_trial()),
            Step::Pass(millis) => self.scene.now += millis,
            Step::Back(millis) => self.scene.now -= millis,
            Step::Operate(wish) => {
                let _ = self.scene.operate(&verb(wish, (head, least)));
            }
        }
        let head = self.scene.state.head();
        let runs = self.delivered.contains(&head);
        self.scene.change(|transition| {
            transition.wake();
            transition.watch_gap(runs);
            transition.end_gap_if_over("worker-a");
        });
        let head = self.scene.state.head();
        self.delivered.retain(|seq| *seq >= head);
        let runs = self.delivered.contains(&head);
        self.scene.change(|transition| transition.watch_gap(runs));
    }

    fn deliver(&mut self, seq: u64, odd: bool) {
        let id = event_id(seq, odd);
        if self.scene.place(seq, &id) != Placement::Ahead {
            return;
        }
        if seq == self.scene.state.head() {
            self.delivered.insert(seq);
            self.scene.change(|transition| transition.arrived(seq));
        } else {
            let letter = held(&id, self.scene.now);
            self.scene
                .change(|transition| transition.hold(seq, letter, PutMode::New));
        }
    }

    /// Runs a replay, or what is at the head; looks at what was posted and is past.
    fn run(&mut self, outcome: Outcome) {
        let state = &self.scene.state;
        let past = state.held.iter().take_while(|seq| state.is_past(*seq));
        for seq in past.collect::<Vec<_>>() {
            self.scene.change(|transition| transition.remove_held(seq));
        }
        let state = &self.scene.state;
        if state.is_blocked() {
            return;
        }
        let head = state.head();
        let replay = state.replays.keys().next().copied();
        let is_here = state.held.contains(head) || self.delivered.contains(&head);
        let Some(seq) = replay.or(is_here.then_some(head)) else {
            return;
        };
        let before = (state.epoch, state.head());
        match outcome {
            Outcome::Commit => self.scene.commit(seq),
            Outcome::Retry => self
                .scene
                .fail(seq, |transition, run| transition.retry(run)),
            Outcome::Postpone => self.scene.postpone(seq, 700),
            Outcome::Halt => self.scene.halt(seq),
            Outcome::DeadLetter => self.scene.dead_letter(seq),
        }
        if !matches!(outcome, Outcome::Retry) {
            self.delivered.remove(&seq);
        }
        let after = (self.scene.state.epoch, self.scene.state.head());
        if replay.is_some() {
            assert_eq!(before, after, "a replay moves nothing");
        } else if matches!(outcome, Outcome::Commit | Outcome::DeadLetter) {
            assert!(after.1 > before.1);
        }
    }

    fn holds_true(&mut self, before: &KeyState) {
        let Scene { state, mailbox, .. } = &self.scene;
        assert!(
            state.head() >= before.head() || state.epoch > before.epoch,
            "the last seq falls only with a new epoch"
        );
        assert!(state.epoch >= before.epoch);
        self.posted.retain(|seq| state.held.contains(*seq));
        for seq in state.held.iter() {
            let posted = self.posted.contains(&seq);
            assert!(posted || !state.is_past(seq), "{seq} is held and past");
            assert!(
                posted || !state.is_dead(seq) && !state.absent.contains(seq),
                "{seq} is held, and dead or absent"
            );
        }
        let head = state.head();
        assert!(state.absent.first().is_none_or(|first| first > head));
        for (epoch, seq) in state.dead_letters() {
            assert!(epoch <= state.epoch);
            assert!(
                epoch < state.epoch || state.is_past(seq) || state.absent.contains(seq),
                "the key would wait for the dead letter {seq}"
            );
        }
        let replays = state.replays.keys();
        assert!(replays.clone().all(|seq| state.is_dead(*seq)));
        assert!(replays.clone().all(|seq| state.is_past(*seq)));
        let slots: BTreeSet<Slot> = state
            .held
            .iter()
            .map(Slot::Held)
            .chain(
                state
                    .dead_letters()
                    .map(|(epoch, seq)| Slot::Dead { epoch, seq }),
            )
            .collect();
        let stored: BTreeSet<Slot> = mailbox.keys().copied().collect();
        assert_eq!(slots, stored, "the state says what is in the mailbox");
        if state.phase != Phase::Open {
            let excused = state.last_error.is_some() || !state.dead.is_empty();
            assert!(excused, "a key that stands still says why");
        }
        self.is_listed_and_readable();
    }

    fn is_listed_and_readable(&self) {
        let Scene {
            state, policy, now, ..
        } = &self.scene;
        let listing = state.listing(policy, Listing::default(), *now);
        assert_eq!(listing.due.is_none(), state.is_idle());
        if state.is_ready() {
            assert!(listing.due.is_some_and(|due| due <= *now), "{listing:?}");
        }
        let halted = matches!(state.phase, Phase::Halted { .. });
        assert_eq!(listing.halted.is_some(), halted);
        assert!(listing.gap.is_none() || !halted);
        let fence = Fence(*now * 1_000);
        let mut again = KeyState::decode(&state.encode(fence), fence).unwrap();
        again.anchors.clone_from(&state.anchors);
        assert_eq!(again, *state);
    }
}

fn event_id(seq: u64, odd: bool) -> crate::event::EventId {
    if odd {
        id(&format!("odd-{seq}"))
    } else {
        id_of(seq)
    }
}

fn gap_policy() -> impl Strategy<Value = GapPolicy> {
    let after = || (0..2_000_u64).prop_map(Duration::from_millis);
    prop_oneof![
        Just(GapPolicy::Wait),
        after().prop_map(|after| GapPolicy::Skip { after }),
        after().prop_map(|after| GapPolicy::Halt { after }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_promises_hold(
        steps in prop::collection::vec(step(), 1..80),
        attempts in 1..4_u32,
        ttl in 1..5_000_u64,
        on_gap in gap_policy(),
        first_seq in 0..3_u64,
    ) {
        let scene = Scene::with(|policy| {
            policy.max_attempts = Some(attempts);
            policy.max_crashes = attempts;
            policy.dedup_ttl = Duration::from_millis(ttl);
            policy.on_gap = on_gap;
            policy.first_seq = first_seq;
        });
        let mut world = World { scene, posted: BTreeSet::new(), delivered: BTreeSet::new() };
        for step in &steps {
            let before = world.scene.state.clone();
            world.step(step);
            world.holds_true(&before);
        }
    }
}
