//! The engine by hand: what comes from where, in an order that is hard to meet from outside.

use futures_util::FutureExt;

use super::*;
use crate::handler::Handler;
use crate::store::{Group, MemoryStore, Store};
use crate::transport::{Delivery, Token};

mod ahead;
mod behind;

struct Nothing;

impl Handler for Nothing {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("test")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text = String::from_utf8_lossy(&envelope.body);
        // The seq, and its id where that is another.
        let (seq, id) = text.split_once(' ').unwrap_or((&text, &text));
        Ok(Decoded {
            key: Key::new("k")?,
            seq: Seq::new(seq.parse().unwrap())?,
            id: crate::event::EventId::new(id)?,
            event: (),
        })
    }

    async fn call(&self, (): (), _: Context) -> Result<(), HandlerError> {
        Ok(())
    }
}

struct Bench {
    engine: Engine,
    store: MemoryStore,
    group: Group,
    tokens: u64,
}

impl Bench {
    fn new() -> Self {
        Self::with(HandlerOptions::new("test"))
    }

    fn with(options: HandlerOptions) -> Self {
        let group = Group::new("test", options.policy.clone());
        let settings = Settings::default().validated(&options).unwrap();
        let engine = Engine::new(Parts {
            handler: Arc::new(Nothing),
            options,
            settings,
            states: Arc::default(),
            worker: WorkerId::new("w"),
            observers: Vec::new(),
            stuck_hooks: Vec::new(),
            telemetry: Arc::new(Telemetry::new(&Arc::from("test"))),
            random: fastrand::Rng::with_seed(1),
        });
        Self {
            engine,
            store: MemoryStore::new(),
            group,
            tokens: 0,
        }
    }

    fn deliver(&mut self, seq: u64) {
        self.deliver_this(Envelope::new(seq.to_string()));
    }

    fn deliver_this(&mut self, envelope: Envelope) {
        self.tokens += 1;
        self.engine.on_deliveries(vec![Delivery {
            token: Token(self.tokens),
            envelope,
            redelivered: false,
        }]);
    }

    /// A producer begins again with 1.
    fn begin_again(&self, epoch: u64) {
        let key = Key::new("k").unwrap();
        let at = Seq::new(1).unwrap();
        let epoch = Some(epoch);
        let action = Action::Reset { at, epoch };
        self.say("other", &[Command { key, action }]);
    }

    /// One round trip to the store.
    fn exchange(&mut self) {
        let (commands, thens) = self.engine.take_batch();
        let verdicts = self.say("w", &commands);
        self.engine.on_verdicts(commands, thens, verdicts);
    }

    fn say(&self, worker: &str, commands: &[Command]) -> Vec<crate::protocol::Verdict> {
        let worker = WorkerId::new(worker);
        let answer = self.store.apply(&self.group, &worker, commands);
        answer.now_or_never().unwrap().unwrap()
    }

    fn hold(&self, worker: &str, seq: u64) {
        let envelope = Envelope::new(seq.to_string());
        let Decoded { key, seq, id, .. } = Handler::decode(&Nothing, &envelope).unwrap();
        let event = crate::protocol::Event {
            seq,
            id,
            epoch: None,
        };
        let action = Action::Hold(event, envelope);
        self.say(worker, &[Command { key, action }]);
    }

    fn lease(&self, worker: &str, lease: Duration) {
        let worker = WorkerId::new(worker);
        let beat = self.store.heartbeat(&self.group, &worker, lease);
        beat.now_or_never().unwrap().unwrap();
    }

    /// The worker sleeps past its lease, and another takes the key over and runs 1.
    fn lapse(&mut self) {
        self.lease("w", Duration::ZERO);
        self.lease("other", Duration::from_secs(60));
        self.hold("other", 1);
        self.lease("w", Duration::from_secs(60));
        self.engine.on_lapse();
    }

    fn starts(&mut self) -> Option<u64> {
        self.engine.next_start().map(|start| start.name.seq.get())
    }

    fn finish(&mut self, seq: u64) {
        let key = Key::new("k").unwrap();
        let name = RunName {
            fence: self.engine.lanes[&key].fence,
            key,
            seq: Seq::new(seq).unwrap(),
        };
        self.engine.on_finished(&name, Ok(()));
    }
}

#[test]
fn what_a_claim_grants_beside_an_offer_is_not_jumped_over() {
    let mut bench = Bench::new();
    // A worker that is gone has left 1 and 2 with the store.
    bench.lease("gone", Duration::from_secs(60));
    bench.hold("gone", 1);
    bench.hold("other", 1);
    bench.hold("other", 2);
    bench.lease("gone", Duration::ZERO);
    bench.lease("w", Duration::from_secs(60));
    // The broker delivers 1 once more while a sweep finds the key.
    bench.deliver(1);
    bench.engine.on_swept_keys(vec![Key::new("k").unwrap()]);
    bench.exchange();
    bench.deliver(3);
    bench.exchange();
    for seq in 1..=3 {
        assert_eq!(bench.starts(), Some(seq));
        bench.finish(seq);
        bench.exchange();
    }
    assert!(bench.engine.is_idle());
}

#[test]
fn after_a_lost_lease_nothing_that_was_granted_before_begins() {
    let mut bench = Bench::new();
    bench.lease("w", Duration::from_secs(60));
    bench.deliver(1);
    bench.exchange();
    bench.lapse();
    assert_eq!(bench.starts(), None);
    // What the broker waits for is asked about again, and held.
    bench.exchange();
    bench.exchange();
    bench.exchange();
    assert_eq!(bench.starts(), None);
    assert_eq!(bench.engine.take_settlements().len(), 1);
    assert!(bench.engine.is_idle());
}

#[test]
fn a_worker_that_lost_track_of_a_grant_gives_the_key_back() {
    let mut bench = Bench::new();
    bench.lease("w", Duration::from_secs(60));
    // A call that the worker had given up reaches the store late: 1 is granted, and the worker does not know.
    bench.hold("w", 1);
    bench.deliver(2);
    bench.exchange();
    assert_eq!(bench.starts(), None, "it would run over 1");
    for _ in 0..4 {
        bench.exchange();
    }
    assert!(bench.engine.is_idle(), "2 is held, and the key is free");
    bench.deliver(1);
    bench.exchange();
    for seq in 1..=2 {
        assert_eq!(bench.starts(), Some(seq));
        bench.finish(seq);
        bench.exchange();
    }
    assert!(bench.engine.is_idle());
}

#[test]
fn an_event_of_an_old_numbering_is_not_taken_for_one_of_the_new() {
    let mut bench = Bench::new();
    bench.begin_again(1);
    // A worker that is gone has left 1 with the store, and this one runs it.
    bench.lease("gone", Duration::from_secs(60));
    bench.hold("gone", 1);
    bench.hold("other", 1);
    bench.lease("gone", Duration::ZERO);
    bench.lease("w", Duration::from_secs(60));
    bench.engine.on_swept_keys(vec![Key::new("k").unwrap()]);
    bench.exchange();
    // The broker delivers it once more, and then its producer begins again.
    let mut envelope = Envelope::new("1");
    let header = crate::worker::control::EPOCH.to_owned();
    envelope.headers.insert(header, "1".to_owned());
    bench.deliver_this(envelope);
    bench.exchange();
    bench.begin_again(2);
    assert_eq!(bench.starts(), Some(1));
    bench.finish(1);
    for _ in 0..3 {
        bench.exchange();
    }
    assert_eq!(bench.starts(), None, "it would stand for the new 1");
    let settled = bench.engine.take_settlements();
    let [settled] = settled.as_slice() else {
        panic!("{settled:?}");
    };
    assert!(matches!(settled.fate, Fate::DeadLetter(_)), "{settled:?}");
}
