//! Producers of one key, each with its clocks, and three workers on one queue that run what they send.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::RunningWorker;
use ordered_events::core::protocol::{KeyView, Verb, Verdict};
use ordered_events::core::store::{Group, Operator};
use ordered_events::logical::{LamportProducer, VectorClock};
use ordered_events::{
    Admin, Control, Envelope, EventId, Explanation, GapPolicy, Key, OperateOptions, Order,
    Outgoing, Publisher, RedisStore, State, Worker, explain, ordered_handler,
};
use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually_within, unique};
use serde::{Deserialize, Serialize};

use crate::support::archive::{Archive, locked};
use crate::support::processes::TIMEOUT;

/// What a producer sends. It has the clocks of both orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) key: String,
    pub(crate) producer: String,
    /// As which event of its producer and key.
    pub(crate) seq: u64,
    time: u64,
    vector: VectorClock,
    event_id: String,
}

impl Event {
    pub(crate) fn id(&self) -> String {
        self.event_id.clone()
    }

    /// Whether this order has it behind another one.
    fn follows(&self, other: &Self, order: Order) -> bool {
        if order == Order::Causal {
            return self.vector.of(&other.producer) >= other.seq;
        }
        (other.time, &other.producer) <= (self.time, &self.producer)
    }

    pub(crate) fn outgoing(&self) -> Outgoing {
        let body = serde_json::to_vec(self).unwrap();
        let id = EventId::new(&self.event_id).unwrap();
        Outgoing::new(key(&self.key), Envelope::new(body)).with_id(id)
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// A producer of one key.
pub(crate) struct Producer {
    key: String,
    name: &'static str,
    times: LamportProducer,
    clock: VectorClock,
}

impl Producer {
    pub(crate) fn of(key: &str, name: &'static str) -> Self {
        Self {
            key: key.to_owned(),
            name,
            times: LamportProducer::default(),
            clock: VectorClock::default(),
        }
    }

    /// Its next event.
    pub(crate) fn next(&mut self) -> Event {
        let (seq, time) = self.times.send();
        Event {
            key: self.key.clone(),
            producer: self.name.to_owned(),
            seq,
            time,
            vector: self.clock.send(self.name).unwrap(),
            event_id: format!("{}-{}-{seq}", self.key, self.name),
        }
    }

    /// It reads what another one has sent.
    pub(crate) fn reads(&mut self, event: &Event) {
        self.times.receive(event.time);
        self.clock.merge(&event.vector).unwrap();
    }

    fn shows(&self) -> Control {
        Control::Clock {
            producer: self.name.to_owned(),
            after: self.times.seq(),
            time: self.times.time(),
        }
    }

    /// It says that it sends no more.
    pub(crate) fn leaves(&self) -> Control {
        Control::Leave {
            producer: self.name.to_owned(),
            after: self.times.seq(),
            time: self.times.time(),
        }
    }
}

/// What was handled, in order.
#[derive(Clone, Default)]
pub(crate) struct Handled(Arc<Mutex<Vec<Event>>>);

impl Handled {
    fn push(&self, event: Event) {
        locked(&self.0).push(event);
    }

    /// The ids of what was handled of a key.
    pub(crate) fn of(&self, key: &str) -> Vec<String> {
        let handled = locked(&self.0);
        let of_key = handled.iter().filter(|event| event.key == key);
        of_key.map(Event::id).collect()
    }
}

#[ordered_handler(
    key = "key",
    id = "event_id",
    order = "causal",
    producer = "producer",
    clock = "vector"
)]
async fn in_causal_order(event: Event, State(handled): State<Handled>) {
    handled.push(event);
}

/// No producer is given up, however busy the machine is.
#[ordered_handler(
    key = "key",
    id = "event_id",
    order = "lamport",
    producer = "producer",
    seq = "seq",
    time = "time",
    producer_lease = "1h"
)]
async fn in_the_order_of_times(event: Event, State(handled): State<Handled>) {
    handled.push(event);
}

/// Three workers on one queue of a real RabbitMQ, with a real Redis.
pub(crate) struct Scene {
    order: Order,
    publisher: Publisher,
    admin: Admin,
    pub(crate) group: Group,
    pub(crate) handled: Handled,
    pub(crate) archive: Archive,
    workers: Vec<RunningWorker>,
}

impl Scene {
    pub(crate) async fn start(order: Order, on_gap: GapPolicy) -> Self {
        let (rabbit, redis) = (
            RabbitServer::shared().await.unwrap(),
            RedisServer::shared().await.unwrap(),
        );
        let name = unique("producers");
        let publisher = ordered_events::publisher(&rabbit.url(), &name)
            .await
            .unwrap();
        let publisher = Publisher::builder(publisher).build().unwrap();
        let archive = Archive::new(publisher.clone());
        let handled = Handled::default();
        let mut workers = Vec::new();
        for id in ["w1", "w2", "w3"] {
            let worker = Worker::connect(&rabbit.url(), &name, &redis.url()).await;
            let worker = worker
                .unwrap()
                .group(&name)
                .id(id)
                .sweep_interval(Duration::from_millis(100))
                .on_gap(on_gap)
                .state(handled.clone());
            let worker = match on_gap {
                GapPolicy::Repair { .. } => worker.repair(archive.clone()),
                _ => worker,
            };
            workers.push(RunningWorker::start(match order {
                Order::Causal => worker.handler(in_causal_order),
                _ => worker.handler(in_the_order_of_times),
            }));
        }
        let admin = Admin::new(Arc::new(RedisStore::connect(&redis.url()).await.unwrap()));
        let mut group = None;
        eventually_within(TIMEOUT, "the group is there", async || {
            group = admin.group(&name).await.unwrap();
            group.is_some()
        })
        .await;
        Self {
            order,
            publisher,
            group: group.expect("it is there"),
            admin,
            handled,
            archive,
            workers,
        }
    }

    /// All producers of a key are known before the first of them sends anything.
    pub(crate) async fn join(&self, producers: &[&Producer]) {
        if self.order == Order::Causal {
            return;
        }
        for producer in producers {
            self.say(&producer.key, producer.shows()).await;
        }
        let all = producers.len();
        self.until(&producers[0].key, "all are known", |view| {
            view.producers.len() == all
        })
        .await;
    }

    pub(crate) async fn publish(&self, event: &Event) {
        self.archive.keeps(event);
        let receipt = self.publisher.enqueue(event.outgoing()).await;
        receipt.unwrap().await.unwrap();
    }

    pub(crate) async fn say(&self, of: &str, control: Control) {
        let said = Outgoing::new(key(of), control.envelope(&key(of)));
        let receipt = self.publisher.enqueue(said).await;
        receipt.unwrap().await.unwrap();
    }

    /// Waits until this is so of a key that no worker has.
    pub(crate) async fn until(
        &self,
        of: &str,
        what: &str,
        is_so: impl Fn(&KeyView) -> bool,
    ) -> KeyView {
        let mut found = None;
        eventually_within(TIMEOUT, what, async || {
            let view = self.admin.inspect(&self.group, &key(of)).await.unwrap();
            found = view.filter(|view| view.claim.is_none() && is_so(view));
            found.is_some()
        })
        .await;
        found.expect("it is so")
    }

    pub(crate) fn explained(&self, view: &KeyView) -> Explanation {
        explain(&view.key, Some(view), &self.group, None)
    }

    pub(crate) async fn halted_keys(&self) -> u64 {
        let overview = self.admin.overview(&self.group).await.unwrap();
        overview.keys.halted
    }

    pub(crate) async fn operate(&self, of: &str, verb: &Verb) {
        let operator = Operator {
            who: "kim".into(),
            why: "a test".into(),
        };
        let (key, options) = (key(of), OperateOptions::default());
        let verdict = self
            .admin
            .operate(&self.group, &key, verb, &operator, options);
        let verdict = verdict.await.unwrap();
        assert!(matches!(verdict, Verdict::Operated(_)), "{verdict:?}");
    }

    /// Waits until this was handled.
    pub(crate) async fn until_handled(&self, event: &Event) {
        eventually_within(TIMEOUT, &event.event_id, async || self.has_handled(event)).await;
    }

    pub(crate) fn has_handled(&self, event: &Event) -> bool {
        self.handled.of(&event.key).contains(&event.event_id)
    }

    /// Waits until all of a key are handled that are in the archive, and nothing more waits. None may have come before
    /// what it follows, or twice.
    pub(crate) async fn ends(&self, of: &str) {
        let kept = self.archive.kept().into_iter();
        let kept = kept.filter(|event| event.key == of);
        let mut expected: Vec<String> = kept.map(|event| event.id()).collect();
        expected.sort_unstable();
        let is_at_rest = |view: &KeyView| {
            let handled = self.handled.of(of).len();
            view.held_events == 0 && handled >= expected.len()
        };
        self.until(of, "all are handled", is_at_rest).await;
        let mut ids = self.handled.of(of);
        ids.sort_unstable();
        assert_eq!(ids, expected);
        let handled = locked(&self.handled.0).clone();
        let handled: Vec<&Event> = handled.iter().filter(|event| event.key == of).collect();
        for (place, event) in handled.iter().enumerate() {
            for later in &handled[place + 1..] {
                assert!(
                    !event.follows(later, self.order),
                    "{event:?} before {later:?}"
                );
            }
        }
    }

    pub(crate) async fn stop(self) {
        for worker in self.workers {
            worker.stop().await.unwrap();
        }
    }
}
