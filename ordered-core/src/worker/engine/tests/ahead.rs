//! Events of a key that run together, or before those before them are committed.

use super::*;
use crate::protocol::{KeyView, Verb, Verdict};
use crate::store::{Admin, Operator};

fn batch(events: u32) -> Bench {
    let mut options = HandlerOptions::new("test");
    options.set_batch(events);
    ready(options)
}

fn window(events: u32) -> Bench {
    let mut options = HandlerOptions::new("test");
    options.set_commit_window(events);
    ready(options)
}

fn ready(options: HandlerOptions) -> Bench {
    let bench = Bench::with(options);
    bench.lease("w", Duration::from_secs(60));
    bench
}

/// The first and the last seq of a run.
type Seqs = (u64, u64);

impl Bench {
    /// Delivers these, and has them granted.
    fn grant(&mut self, seqs: std::ops::RangeInclusive<u64>) {
        seqs.for_each(|seq| self.deliver(seq));
        self.exchange();
    }

    fn run(&mut self) -> Option<Seqs> {
        let run = self.engine.next_start()?.run.unwrap();
        Some(run.context.seqs().into_inner())
    }

    fn attempt(&mut self) -> u32 {
        let start = self.engine.next_start().expect("a run");
        start.run.unwrap().context.attempt()
    }

    fn end(&mut self, seq: u64, outcome: Result<(), HandlerError>) {
        let key = key();
        let name = RunName {
            fence: self.engine.lanes[&key].fence,
            key,
            seq: Seq::new(seq).unwrap(),
        };
        self.engine.on_finished(&name, outcome);
    }

    fn fail(&mut self, seq: u64) {
        self.end(seq, Err(HandlerError::transient("no luck")));
    }

    /// What is said to the store next, with the seqs of the commits; it is not sent.
    fn said(&self) -> Vec<String> {
        let words = |action: &Action| match action {
            Action::Commit { event, .. } => format!("commit {}", event.seq),
            Action::Retry(attempt) => format!("retry {}", attempt.event.seq),
            Action::Halt(attempt, _) => format!("halt {}", attempt.event.seq),
            Action::Release { .. } => "release".to_owned(),
            other => format!("{other:?}"),
        };
        let outbox = self.engine.outbox.iter();
        outbox.map(|(command, _)| words(&command.action)).collect()
    }

    /// Sends a batch whose reply is lost, and then again.
    fn exchange_twice(&mut self) {
        let (commands, thens) = self.engine.take_batch();
        self.say("w", &commands);
        let verdicts = self.say("w", &commands);
        self.engine.on_verdicts(commands, thens, verdicts);
    }

    fn view(&self) -> KeyView {
        let key = key();
        let view = self.store.inspect(&self.group, &key);
        view.now_or_never().unwrap().unwrap().unwrap()
    }

    fn last_seq(&self) -> u64 {
        self.view().last_seq
    }

    fn operate(&self, verb: &Verb) {
        let operator = Operator {
            who: "test".into(),
            why: "test".into(),
        };
        let (group, key) = (&self.group, key());
        let done = self.store.operate(group, &key, verb, &operator, false);
        done.now_or_never().unwrap().unwrap();
    }

    /// The pauses before further attempts are over.
    fn pauses_over(&mut self) {
        for pause in self.engine.take_pauses() {
            self.engine.on_pause_over(&pause.name);
        }
    }
}

fn key() -> Key {
    Key::new("k").unwrap()
}

#[test]
fn a_run_takes_what_is_there_up_to_the_batch_and_commits_it_in_one_call() {
    let mut bench = batch(4);
    bench.grant(1..=6);
    assert_eq!(bench.run(), Some((1, 4)));
    assert_eq!(bench.run(), None, "one run of a key at a time");
    bench.end(1, Ok(()));
    let commits = ["commit 1", "commit 2", "commit 3", "commit 4"];
    assert_eq!(bench.said(), commits);
    assert_eq!(bench.run(), None, "strict: not before they are committed");
    bench.exchange();
    assert_eq!((bench.last_seq(), bench.run()), (4, Some((5, 6))));
    bench.end(5, Ok(()));
    bench.exchange();
    assert!(bench.engine.is_idle());
    assert_eq!(bench.engine.take_settlements().len(), 6);
}

#[test]
fn a_run_ends_at_what_is_missing() {
    let mut bench = batch(10);
    let fill = Action::Fill {
        from: Seq::new(3).unwrap(),
        to: Seq::new(3).unwrap(),
    };
    let key = key();
    bench.say("other", &[Command { key, action: fill }]);
    bench.grant(1..=2);
    bench.grant(4..=5);
    for (first, last) in [(1, 2), (4, 5)] {
        assert_eq!(bench.run(), Some((first, last)));
        bench.end(first, Ok(()));
        bench.exchange();
    }
    assert!(bench.engine.is_idle());
}

#[test]
fn an_id_runs_once_in_a_batch_or_ahead() {
    for mut bench in [batch(10), window(10)] {
        bench.deliver(1);
        // The handler of these tests makes the id of what stands in the body.
        bench.deliver_this(Envelope::new("2 1"));
        bench.deliver_this(Envelope::new("3"));
        bench.exchange();
        assert_eq!(bench.run(), Some((1, 1)));
        bench.end(1, Ok(()));
        assert_eq!(bench.run(), None);
        bench.exchange();
        assert_eq!(bench.run(), None, "it is committed without the handler");
        assert_eq!(bench.said(), ["commit 2"]);
        bench.exchange();
        assert_eq!(bench.run(), Some((3, 3)));
        bench.end(3, Ok(()));
        bench.exchange();
        assert_eq!(bench.last_seq(), 3);
    }
}

#[test]
fn a_run_that_fails_is_parted_until_the_event_that_fails_is_past() {
    let mut bench = batch(10);
    bench.grant(1..=6);
    assert_eq!(bench.run(), Some((1, 6)));
    bench.fail(1);
    assert_eq!(bench.said(), [""; 0], "it is no attempt of any event");
    for seq in 1..=2 {
        assert_eq!(bench.run(), Some((seq, seq)));
        bench.end(seq, Ok(()));
        assert_eq!(bench.run(), None);
        bench.exchange();
    }
    assert_eq!(bench.attempt(), 1);
    bench.fail(3);
    assert_eq!(bench.said(), ["retry 3"]);
    bench.exchange();
    bench.pauses_over();
    assert_eq!(bench.attempt(), 2);
    bench.end(3, Ok(()));
    bench.exchange();
    assert_eq!(bench.run(), Some((4, 6)), "what is behind it goes on");
}

#[test]
fn a_permanent_error_of_a_run_halts_only_the_event_that_has_it() {
    let mut bench = batch(10);
    bench.grant(1..=3);
    assert_eq!(bench.run(), Some((1, 3)));
    let never = || Err(HandlerError::permanent("never"));
    bench.end(1, never());
    assert_eq!(bench.run(), Some((1, 1)));
    bench.end(1, Ok(()));
    bench.exchange();
    assert_eq!(bench.run(), Some((2, 2)));
    bench.end(2, never());
    assert_eq!(bench.said(), ["halt 2"]);
}

/// A worker that is gone had 1 to 6, and was at them together.
fn after_a_crash(mut options: HandlerOptions) -> Bench {
    options.policy.max_attempts = 3;
    let bench = ready(options);
    bench.lease("gone", Duration::from_secs(60));
    bench.hold("gone", 1);
    (1..=9).for_each(|seq| bench.hold("other", seq));
    bench.lease("gone", Duration::ZERO);
    bench
}

#[test]
fn after_a_crash_those_that_may_have_caused_it_run_alone() {
    let mut options = HandlerOptions::new("test");
    options.set_batch(3);
    options.set_commit_window(2);
    let mut bench = after_a_crash(options);
    bench.engine.on_swept_keys(vec![key()]);
    bench.exchange();
    for seq in 1..=5 {
        let run = bench.engine.next_start().unwrap().run.unwrap();
        assert_eq!(run.context.seqs(), seq..=seq);
        assert_eq!(run.context.attempt(), if seq == 1 { 2 } else { 1 });
        bench.end(seq, Ok(()));
        assert_eq!(bench.run(), None, "strictly");
        bench.exchange();
    }
    assert_eq!(bench.run(), Some((6, 8)));
}

#[test]
fn with_a_window_events_run_while_those_before_them_are_on_their_way() {
    let mut bench = window(2);
    bench.grant(1..=5);
    for seq in 1..=3 {
        assert_eq!(bench.run(), Some((seq, seq)));
        bench.end(seq, Ok(()));
    }
    assert_eq!(bench.run(), None, "three are not committed yet");
    assert_eq!(bench.said(), ["commit 1", "commit 2", "commit 3"]);
    bench.exchange();
    assert_eq!(bench.run(), Some((4, 4)));
    bench.end(4, Ok(()));
    assert_eq!(bench.run(), Some((5, 5)));
    let (commands, thens) = bench.engine.take_batch();
    bench.end(5, Ok(()));
    let verdicts = bench.say("w", &commands);
    bench.engine.on_verdicts(commands, thens, verdicts);
    assert_eq!(
        (bench.last_seq(), bench.said()),
        (4, vec!["commit 5".into()])
    );
    bench.exchange();
    assert!(bench.engine.is_idle());
    assert_eq!(bench.engine.take_settlements().len(), 5);
}

#[test]
fn without_one_no_event_runs_before_the_one_before_it_is_committed() {
    let mut bench = window(0);
    bench.grant(1..=2);
    assert_eq!(bench.run(), Some((1, 1)));
    bench.end(1, Ok(()));
    assert_eq!(bench.run(), None);
    bench.exchange();
    assert_eq!(bench.run(), Some((2, 2)));
}

#[test]
fn what_ran_ahead_is_dropped_when_the_grant_is_over() {
    let mut bench = window(5);
    bench.grant(1..=4);
    for seq in 1..=2 {
        assert_eq!(bench.run(), Some((seq, seq)));
        bench.end(seq, Ok(()));
    }
    assert_eq!(bench.run(), Some((3, 3)));
    // The lease ends unnoticed, and another worker takes the key over.
    bench.lease("w", Duration::ZERO);
    bench.lease("other", Duration::from_secs(60));
    bench.hold("other", 1);
    bench.exchange();
    assert_eq!((bench.engine.lanes(), bench.engine.running), (0, 0));
    assert_eq!(bench.last_seq(), 0);
    // What the broker waits for is asked about again, and held.
    bench.exchange();
    bench.exchange();
    assert!(bench.engine.is_idle());
    assert_eq!(bench.engine.take_settlements().len(), 4);
}

#[test]
fn a_failure_ahead_of_a_commit_counts_for_its_own_event() {
    let mut bench = window(5);
    bench.grant(1..=4);
    assert_eq!(bench.run(), Some((1, 1)));
    bench.end(1, Ok(()));
    assert_eq!(bench.run(), Some((2, 2)));
    bench.fail(2);
    assert_eq!(bench.said(), ["commit 1", "retry 2"], "in this order");
    bench.exchange_twice();
    assert_eq!(bench.last_seq(), 1);
    bench.pauses_over();
    assert_eq!(bench.attempt(), 2);
    bench.end(2, Ok(()));
    assert_eq!(bench.run(), None, "what failed is strict to its end");
    bench.exchange();
    assert_eq!(bench.run(), Some((3, 3)));
    bench.end(3, Ok(()));
    assert_eq!(bench.run(), Some((4, 4)));
}

#[test]
fn a_failure_ahead_of_a_commit_that_is_refused_changes_nothing() {
    let mut bench = window(5);
    bench.grant(1..=2);
    assert_eq!(bench.run(), Some((1, 1)));
    bench.end(1, Ok(()));
    assert_eq!(bench.run(), Some((2, 2)));
    bench.end(2, Err(HandlerError::permanent("never")));
    bench.lease("w", Duration::ZERO);
    bench.lease("other", Duration::from_secs(60));
    bench.hold("other", 1);
    bench.exchange();
    let view = bench.view();
    assert_eq!((view.phase.as_str(), view.last_seq), ("open", 0));
}

#[test]
fn after_a_lapse_nothing_runs_ahead_until_the_store_has_taken_what_is_told() {
    let mut bench = window(5);
    bench.grant(1..=4);
    assert_eq!(bench.run(), Some((1, 1)));
    bench.end(1, Ok(()));
    assert_eq!(bench.run(), Some((2, 2)));
    bench.engine.on_lapse();
    bench.end(2, Ok(()));
    assert_eq!(bench.run(), None);
    bench.exchange();
    assert_eq!(bench.run(), Some((3, 3)), "the claim is still its own");
    bench.end(3, Ok(()));
    assert_eq!(bench.run(), Some((4, 4)));
}

#[test]
fn draining_waits_for_what_is_told_and_gives_the_rest_back() {
    for runs in [false, true] {
        let mut bench = window(5);
        bench.grant(1..=4);
        assert_eq!(bench.run(), Some((1, 1)));
        bench.end(1, Ok(()));
        if runs {
            assert_eq!(bench.run(), Some((2, 2)));
        }
        bench.engine.begin_drain();
        assert!(!bench.engine.is_idle());
        bench.exchange();
        if runs {
            assert_eq!(bench.said(), [""; 0], "it waits for what runs");
            bench.end(2, Ok(()));
            bench.exchange();
        }
        assert_eq!(bench.said(), ["release"]);
        bench.exchange();
        assert!(bench.engine.is_idle());
        let done = if runs { 2 } else { 1 };
        assert_eq!(bench.last_seq(), done);
        assert_eq!(bench.engine.take_settlements().len() as u64, done);
    }
}

#[test]
fn a_pause_drops_what_ran_ahead_and_it_runs_again_after() {
    for mut bench in [window(5), batch(2)] {
        bench.grant(1..=4);
        let ahead = bench.run() == Some((1, 1));
        bench.end(1, Ok(()));
        if ahead {
            assert_eq!(bench.run(), Some((2, 2)));
        }
        bench.operate(&Verb::Pause);
        bench.exchange();
        assert_eq!((bench.engine.lanes(), bench.engine.running), (0, 0));
        (0..3).for_each(|_| bench.exchange());
        assert!(bench.engine.is_idle());
        assert_eq!(bench.last_seq(), 1);
        bench.operate(&Verb::Resume);
        bench.engine.on_swept_keys(vec![key()]);
        bench.exchange();
        let run = bench.engine.next_start().unwrap().run.unwrap();
        assert_eq!(*run.context.seqs().start(), 2);
        assert_eq!(run.context.attempt(), 1);
    }
}

/// Thirty events are granted, and as many held behind them: commits hand those back.
fn flooded(mut bench: Bench) -> Bench {
    bench.grant(1..=30);
    (31..=60).for_each(|seq| bench.hold("other", seq));
    bench
}

#[test]
fn commits_together_hand_back_each_held_event_once() {
    let mut bench = flooded(batch(20));
    assert_eq!(bench.run(), Some((1, 20)));
    bench.end(1, Ok(()));
    let (commands, thens) = bench.engine.take_batch();
    let verdicts = bench.say("w", &commands);
    let next = |verdict: &Verdict| match verdict {
        Verdict::Committed { next, .. } => next.iter().map(|next| next.seq.get()).collect(),
        _ => Vec::new(),
    };
    let handed_back: Vec<u64> = verdicts.iter().flat_map(next).collect();
    assert_eq!(handed_back, (31..=60).collect::<Vec<_>>());
    bench.engine.on_verdicts(commands, thens, verdicts);
    assert_eq!(bench.run(), Some((21, 40)));
}

#[test]
fn a_lost_reply_to_commits_together_loses_nothing() {
    for bench in [batch(20), window(20)] {
        let mut bench = flooded(bench);
        let mut handled = Vec::new();
        for _ in 0..200 {
            while let Some(start) = bench.engine.next_start() {
                let context = start.run.unwrap().context;
                handled.extend(context.run().map(|context| context.seq().get()));
                bench.end(context.seq().get(), Ok(()));
            }
            if bench.engine.is_idle() {
                bench.engine.on_swept_keys(vec![key()]);
            }
            bench.exchange_twice();
        }
        assert_eq!(handled, (1..=60).collect::<Vec<_>>());
        assert_eq!(bench.last_seq(), 60);
    }
}
