//! Workers that die with events at work.

use super::*;

impl Bench {
    /// The worker runs its key, and dies.
    fn die_at_work(&mut self, names: &mut u32, redeliver: bool) -> (Option<Seqs>, u32) {
        *names += 1;
        let mut w = self.worker(&format!("w{names}"));
        if redeliver {
            self.deliver(&mut w, 1);
        }
        let mut heir = self.worker(&format!("heir{names}"));
        w.engine.claim([key()]);
        self.settle(&mut w);
        let run = w.begin();
        let attempt = w.attempt();
        self.die(w, &mut [&mut heir]);
        self.exchange(&mut heir);
        self.give_up(&mut heir);
        (run, attempt)
    }

    fn give_up(&self, worker: &mut Worker) {
        worker.engine.begin_drain();
        self.settle(worker);
        let left = self.store.leave(&self.group, &worker.session);
        left.now_or_never().expect("at once").expect("it is open");
    }
}

#[test]
fn an_event_that_kills_its_worker_halts_its_key_after_as_many_deaths_alone() {
    let mut bench = Bench::with(|rules| rules.policy.max_crashes = 3);
    let first = bench.worker("first");
    let (mut names, mut deaths) = (0, 0);
    while !bench.state().is_blocked() {
        let (run, attempt) = bench.die_at_work(&mut names, deaths == 0);
        if deaths == 0 {
            // The broker delivers it again.
            let mut w = bench.worker("again");
            bench.deliver_with(&mut w, 1, "1", |event| event.redelivered = true);
            w.engine.set_paused(true);
            bench.exchange(&mut w);
            w.engine.set_paused(true);
            bench.exchange(&mut w);
            bench.give_up(&mut w);
        }
        deaths += 1;
        assert_eq!((run, attempt), (Some((1, 1)), deaths));
        assert!(deaths < 10);
    }
    drop(first);
    assert_eq!(deaths, 5, "two make it a suspect, and three convict it");
    let error = bench.state().last_error.expect("it is known").error;
    assert!(error.contains("alone"), "{error}");
}

/// An event that kills as soon as it begins would never be counted otherwise, and others would be blamed for it.
#[test]
fn nothing_begins_before_the_store_knows_of_the_death_of_the_owner_before() {
    let mut bench = Bench::with(|_| {});
    let mut w = bench.worker("w");
    let mut heir = bench.worker("heir");
    bench.deliver(&mut w, 1);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 1)));
    bench.die(w, &mut [&mut heir]);
    bench.deliver(&mut heir, 1);
    bench.exchange(&mut heir);
    assert_eq!(heir.begin(), None, "the death is not saved");
    bench.exchange(&mut heir);
    assert_eq!(bench.state().unfinished, 1);
    assert_eq!(heir.begin(), Some((1, 1)));
}

#[test]
fn after_a_death_those_that_may_have_caused_it_run_alone() {
    let mut bench = Bench::with(|rules| {
        rules.batch = 3;
        rules.commit_window = 2;
    });
    let mut w = bench.worker("w");
    let mut heir = bench.worker("heir");
    bench.deliver_all(&mut w, 1..=3);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 3)));
    bench.deliver_all(&mut heir, 1..=9);
    bench.settle(&mut heir);
    bench.die(w, &mut [&mut heir]);
    let runs = bench.run_all(&mut heir);
    let alone = [1, 2, 3, 4, 5].map(|seq| (seq, seq));
    assert_eq!((&runs[..5], runs[5]), (&alone[..], (6, 8)));
}

#[test]
fn many_suspects_survive_as_many_kills_from_outside() {
    let mut bench = Bench::with(|rules| {
        rules.policy.max_crashes = 2;
        rules.concurrency = 100;
    });
    let keys: Vec<Key> = (10..31)
        .map(|key| Key::new(key.to_string()).expect("it is short"))
        .collect();
    let mut w = bench.worker("w0");
    for key in &keys {
        bench.tokens += 1;
        let id = EventId::new("1").expect("it is short");
        let mut event = Event::delivered(1, id, Envelope::new("1"), (), Token(bench.tokens));
        event.redelivered = true;
        w.engine.deliver(key, event);
    }
    bench.settle(&mut w);
    for kill in 1..=23 {
        let mut runs = 0;
        while w.begin().is_some() {
            runs += 1;
        }
        assert_eq!(runs, if kill <= 2 { 21 } else { 1 }, "kill {kill}");
        let mut heir = bench.worker(&format!("w{kill}"));
        bench.die(w, &mut [&mut heir]);
        bench.settle(&mut heir);
        w = heir;
    }
    let totals = bench.store.totals(&bench.group).now_or_never();
    let totals = totals.expect("at once").expect("it is open");
    assert_eq!((totals.halted, totals.held_events), (0, 21));
    // Nobody kills any more.
    for _ in 0..200 {
        bench.clock.advance(1_000);
        bench.beat(&mut w);
        while w.begin().is_some() {
            w.end(Ok(()));
        }
        bench.settle(&mut w);
        bench.claim_swept(&mut w);
    }
    assert!(w.engine.is_idle());
    assert_eq!(bench.held(), 0);
}
