//! The simulation of the worker that ships, and the mistakes that it must find.

use std::sync::{Arc, Mutex};

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_testkit::simulation::{App, Faults, Simulation, Summary};

mod ahead;
mod dead_letters;
mod drawn;
mod planted;
mod shallow;

/// Reads `key seq id`, and adds the event to the ledger.
pub(crate) struct Keeper {
    ledger: Ledger,
}

pub(crate) type Ledger = Arc<Mutex<Vec<(String, u64)>>>;

impl Handler for Keeper {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("simulated")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text = String::from_utf8_lossy(&envelope.body);
        let mut words = text.split(' ');
        let (Some(key), Some(seq), Some(id)) = (words.next(), words.next(), words.next()) else {
            return Err(Malformed("not `key seq id`".into()));
        };
        let seq = seq.parse().map_err(|_| Malformed("no number".into()))?;
        Ok(Decoded {
            key: Key::new(key)?,
            seq: Seq::new(seq)?,
            id: EventId::new(id)?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        let line = (context.key().to_string(), context.seq().get());
        self.ledger.lock().unwrap().push(line);
        Ok(())
    }
}

/// `keys` keys with `events` events each.
pub(crate) fn stream(keys: u64, events: u64) -> Vec<Envelope> {
    let event = |key, seq| Envelope::new(format!("k{key} {seq} k{key}-{seq}"));
    (1..=events)
        .flat_map(|seq| (0..keys).map(move |key| event(key, seq)))
        .collect()
}

pub(crate) fn keeper() -> App {
    App::new(Keeper {
        ledger: Ledger::default(),
    })
}

fn everything() -> Simulation {
    Simulation::new(keeper).events(stream(4, 12)).runs(60)
}

#[test]
fn no_promise_is_broken_whatever_happens() {
    let summary = timed(&everything());
    assert_eq!(summary.committed, summary.runs * 48);
}

/// A short form; `ORDERED_RUNS` in the environment makes it a long one.
fn timed(simulation: &Simulation) -> Summary {
    let begun = std::time::Instant::now();
    let summary = simulation.assert();
    println!("{summary:?} in {:?}", begun.elapsed());
    summary
}

#[test]
fn a_seed_repeats_a_run_to_the_last_line() {
    let simulation = everything();
    for seed in 1..=30 {
        let (one, other) = (simulation.history(seed), simulation.history(seed));
        assert!(!one.lines.is_empty());
        let differs = one.lines.iter().zip(&other.lines).position(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one, other, "seed {seed}");
    }
    assert_ne!(simulation.history(1), simulation.history(2));
}

#[test]
fn without_faults_nothing_runs_twice() {
    let simulation = everything().faults(Faults::none()).runs(5);
    let summary = simulation.assert();
    assert_eq!(summary.started, summary.committed);
}

#[test]
fn what_the_application_expects_is_asked_at_the_end() {
    let app = || {
        let ledger = Ledger::default();
        let kept = Arc::clone(&ledger);
        App::new(Keeper { ledger }).check(move |_| match kept.lock().unwrap().len() {
            8 => Ok(()),
            other => Err(format!("the ledger has {other} lines, and should have 8")),
        })
    };
    let simulation = Simulation::new(app).events(stream(2, 4));
    let failure = simulation.runs(200).run().unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("the application: the ledger has"), "{text}");
    assert!(
        text.contains(&format!("ORDERED_SEED={}", failure.seed)),
        "{text}"
    );
}

#[test]
fn three_workers_collide_and_repeat() {
    let mut events = stream(2, 6);
    events.push(Envelope::new("k0 3 another-id"));
    events.push(Envelope::new("k0 7 k0-2"));
    let simulation = Simulation::new(keeper).events(events).runs(30);
    simulation.assert();
}
