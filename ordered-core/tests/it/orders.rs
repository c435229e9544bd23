//! Groups whose events run in another order than 1, 2, 3, ….

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::admin::OperateOptions;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{
    Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed, OnRepeat, OnStateLoss,
};
use ordered_core::logical::{LamportClock, VectorClock};
use ordered_core::protocol::{GapPolicy, Order, Policy, Refusal, Stamp, Start, Verb, Verdict};
use ordered_core::store::{Group, Operator};
use ordered_core::transport::{Faults, Publish};
use ordered_core::worker::{Control, Worker, WorkerBuilder, WorkerError, WorkerEvent};

use crate::bench::{Act, World, event};

const VERSIONS: Order = Order::Monotonic { coalesce: false };

fn group(order: Order) -> Group {
    let mut policy = Policy::default();
    policy.order = order;
    Group::new("test", policy)
}

async fn operate(world: &World, order: Order, verb: Verb) -> Verdict {
    operate_on(world, &group(order), &Key::new("k0").unwrap(), verb).await
}

async fn operate_on(world: &World, group: &Group, key: &Key, verb: Verb) -> Verdict {
    let operator = Operator {
        who: "ada".into(),
        why: "a test".into(),
    };
    let options = OperateOptions::default();
    let admin = world.admin();
    let done = admin.operate(group, key, &verb, &operator, options).await;
    done.unwrap()
}

/// What a worker tells, as words.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn hear(&self, worker: WorkerBuilder) -> WorkerBuilder {
        let told = self.clone();
        worker.observe(move |occurrence| {
            let words = match occurrence {
                WorkerEvent::Committed { event, .. } => format!("{} done", event.id),
                WorkerEvent::Duplicate { event } => format!("{} again", event.id),
                WorkerEvent::Superseded { event } => format!("{} superseded", event.id),
                WorkerEvent::Malformed { reason } => reason.text.clone(),
                _ => return,
            };
            told.0.lock().unwrap().push(words);
        })
    }

    fn all(&self, what: &str) -> Vec<String> {
        let told = self.0.lock().unwrap();
        let such = told.iter().filter_map(|words| words.strip_suffix(what));
        such.map(|words| words.trim().to_owned()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn events_run_as_they_arrive_whatever_numbers_are_in_them() {
    let world = World::new(Faults::default());
    let told = Told::default();
    let sent = [3, 1, 3, 2, 1];
    let events = sent.map(|seq| event("k0", seq));
    world.broker.publish(events.to_vec()).await.unwrap();
    let worker = world.start("w", |worker| told.hear(worker.order(Order::Arrival)));
    world
        .until("all done", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    assert_eq!(told.all("done"), ["k0-3", "k0-1", "k0-2"]);
    let mut again = told.all("again");
    again.sort_unstable();
    assert_eq!(again, ["k0-1", "k0-3"]);
    let seqs: Vec<u64> = world.by_key()["k0"].clone();
    assert_eq!(
        seqs,
        [Seq::UNNUMBERED.get(); 3],
        "the handler is told no number"
    );
}

#[tokio::test(start_paused = true)]
async fn many_keys_run_as_they_arrive_on_several_workers_though_handlers_fail() {
    let failing = Arc::new(Mutex::new(std::collections::HashSet::new()));
    let world = World::new(Faults {
        seed: 3,
        duplicate: 30,
        ..Faults::default()
    })
    .script(move |context| {
        let id = context.event_id().to_string();
        let first = failing.lock().unwrap().insert(id.clone());
        if first && id.ends_with('3') {
            Act::Fail
        } else {
            Act::Succeed
        }
    });
    let told = Told::default();
    world.publish(10, 20).await;
    let workers = ["w1", "w2", "w3"]
        .map(|name| world.start(name, |worker| told.hear(worker.order(Order::Arrival))));
    world
        .until("all done", |_| told.all("done").len() >= 200)
        .await;
    world
        .until("all settled", |world| world.broker.backlog() == 0)
        .await;
    for worker in workers {
        worker.stop().await;
    }
    let mut done = told.all("done");
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), 200, "each once");
    assert_eq!(world.handled(), 200);
}

#[tokio::test(start_paused = true)]
async fn operators_see_and_do_what_they_see_and_do_in_any_order() {
    let world = World::new(Faults::default()).script(|context| {
        if context.event_id().as_str() == "k0-2" {
            Act::FailPermanently
        } else {
            Act::Succeed
        }
    });
    world.publish(1, 4).await;
    let told = Told::default();
    let worker = world.start("w", |worker| told.hear(worker.order(Order::Arrival)));
    world
        .until("all taken in", |world| world.broker.backlog() == 0)
        .await;
    let key = Key::new("k0").unwrap();
    let admin = world.admin();
    let view = admin.inspect(&group(Order::Arrival), &key).await;
    let view = view.unwrap().expect("it is known");
    let held: Vec<_> = view
        .held
        .iter()
        .map(|held| (held.seq, &held.id[..]))
        .collect();
    assert_eq!(held, [(2, "k0-2"), (3, "k0-3"), (4, "k0-4")]);
    assert_eq!((view.phase.as_str(), view.last_seq), ("halted", 1));
    for verb in [
        Verb::SetLast { to: 7 },
        Verb::Import {
            epoch: None,
            last: 7,
        },
    ] {
        let verdict = operate(&world, Order::Arrival, verb).await;
        assert_eq!(verdict, Verdict::Refused(Refusal::NoNumbers));
    }
    let Verdict::Operated(effect) = operate(&world, Order::Arrival, Verb::Skip { to: None }).await
    else {
        panic!("it is halted");
    };
    assert_eq!((effect.removed, effect.released), (vec![2], vec![3, 4]));
    world
        .until("the rest", |_| told.all("done").len() == 3)
        .await;
    assert_eq!(told.all("done"), ["k0-1", "k0-3", "k0-4"]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_version_wins_on_several_workers() {
    let world = World::new(Faults {
        seed: 5,
        shuffle: 12,
        duplicate: 20,
        delay: Duration::from_millis(50),
        ..Faults::default()
    });
    for order in [VERSIONS, Order::Monotonic { coalesce: true }] {
        let name = format!("versions-{order:?}");
        let told = Told::default();
        world.publish(6, 30).await;
        world.scribe.log.lock().unwrap().clear();
        let workers = ["w1", "w2"].map(|worker| {
            world.start(&format!("{worker}-{name}"), |worker| {
                told.hear(worker.order(order).group(&name))
            })
        });
        world
            .until("all settled", |world| world.broker.backlog() == 0)
            .await;
        let newest = |world: &World| {
            let by_key = world.by_key();
            by_key.len() == 6 && by_key.values().all(|seqs| seqs.contains(&30))
        };
        world.until("the newest", newest).await;
        for worker in workers {
            worker.stop().await;
        }
        for (key, versions) in world.by_key() {
            assert!(versions.is_sorted(), "{key}: {versions:?}");
        }
        assert!(!told.all("superseded").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_producer_says_about_seqs_is_acknowledged_where_it_means_nothing() {
    let world = World::new(Faults::default());
    let key = Key::new("k0").unwrap();
    let seq = |seq| Seq::new(seq).unwrap();
    let fill = Control::GapFill {
        from: seq(1),
        to: seq(3),
    };
    let reset = Control::Reset {
        at: seq(9),
        epoch: None,
    };
    let said = vec![fill.envelope(&key), reset.envelope(&key), event("k0", 1)];
    world.broker.publish(said).await.unwrap();
    let told = Told::default();
    let worker = world.start("w", |worker| told.hear(worker.order(Order::Arrival)));
    world
        .until("all done", |world| world.broker.backlog() == 0)
        .await;
    worker.stop().await;
    assert_eq!(told.all("done"), ["k0-1"]);
    assert!(world.broker.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_another_order_does_not_start() {
    let world = World::new(Faults::default());
    let worker = world.start("w", |worker| worker.order(Order::Arrival));
    world.publish(1, 1).await;
    world.until("it works", |world| world.handled() == 1).await;
    for order in [Order::Sequence, VERSIONS, Order::Causal] {
        let other = world.worker().id("other").order(order);
        let error = other.run_until(std::future::pending()).await.unwrap_err();
        assert!(matches!(error, WorkerError::Store(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("keeps its keys in the order `arrival`"),
            "{text}"
        );
        assert!(
            text.contains(&format!("group = \"test-{order}\"")),
            "{text}"
        );
    }
    worker.stop().await;
    let kept = world.admin().group("test").await.unwrap().unwrap();
    assert_eq!(kept.policy().order, Order::Arrival);
}

#[test]
fn an_order_is_refused_with_options_that_it_has_no_use_for() {
    type Change = fn(&mut HandlerOptions);
    let world = World::new(Faults::default());
    let refused: [(Order, &str, Change); 13] = [
        (Order::Lamport, "producer_lease", |options| {
            options.policy.producer_lease = Duration::ZERO;
        }),
        (Order::Lamport, "max_delay", |options| {
            options.policy.max_delay = Some(Duration::ZERO);
        }),
        (Order::Causal, "max_delay", |options| {
            options.policy.max_delay = Some(Duration::from_secs(1));
        }),
        (Order::Causal, "on_state_loss", |options| {
            options.on_state_loss = OnStateLoss::Adopt;
        }),
        (Order::Causal, "start", |options| {
            options.policy.start = Start::FirstSeen {
                settle: Start::SETTLE,
            };
        }),
        (Order::Causal, "first_seq", |options| {
            options.policy.first_seq = 5
        }),
        (Order::Causal, "max_producers", |options| {
            options.policy.max_producers = 0
        }),
        (Order::Arrival, "on_gap", |options| {
            options.policy.on_gap = GapPolicy::Skip {
                after: Duration::from_secs(1),
            };
        }),
        (Order::Arrival, "first_seq", |options| {
            options.policy.first_seq = 5
        }),
        (Order::Arrival, "on_repeat", |options| {
            options.on_repeat = OnRepeat::Conflict
        }),
        (VERSIONS, "first_seq", |options| {
            options.policy.first_seq = 5
        }),
        (VERSIONS, "batch", |options| options.set_batch(5)),
        (VERSIONS, "batch", |options| options.set_commit_window(5)),
    ];
    for (order, option, change) in refused {
        let built = world.worker().order(order).options(change).build();
        let error = built.err().expect("it is refused").to_string();
        assert!(error.contains(option), "{error}");
        assert!(error.contains(&format!("`order` is `{order}`")), "{error}");
    }
    assert!(
        world
            .worker()
            .order(Order::Arrival)
            .batch(5)
            .build()
            .is_ok()
    );
}

/// Comments, each with a vector clock: `{"post": …, "author": …, "vector": {…}, "id": …}`.
#[derive(Clone, Default)]
pub(crate) struct Comments {
    ran: Arc<Mutex<Vec<(String, String)>>>,
}

impl Handler for Comments {
    type Event = serde_json::Value;

    fn options(&self) -> HandlerOptions {
        let mut options = HandlerOptions::new("test");
        options.policy.order = Order::Causal;
        options
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<Self::Event>, Malformed> {
        let event: serde_json::Value = ordered_core::handler::json_event(envelope)?;
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        Ok(Decoded {
            key: Key::new(text("post"))?,
            seq: Seq::UNNUMBERED,
            id: EventId::new(text("id"))?,
            event,
        })
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&Self::Event>,
    ) -> Result<Option<Stamp>, Malformed> {
        let author = event.and_then(|event| event["author"].as_str());
        let Some(author) = author else {
            return Ok(None);
        };
        let clock = ordered_core::handler::json_fields(envelope)?.clock("/vector")?;
        Ok(Some(Stamp::causal(author, clock)?))
    }

    async fn call(&self, event: Self::Event, context: Context) -> Result<(), HandlerError> {
        let stamp = context.clock().expect("it has one");
        assert_eq!(Some(stamp.producer()), event["author"].as_str());
        assert!(!context.seq().is_numbered());
        let ran = (context.key().to_string(), context.event_id().to_string());
        self.ran.lock().unwrap().push(ran);
        Ok(())
    }
}

impl Comments {
    pub(crate) fn worker(&self, world: &World) -> WorkerBuilder {
        Worker::builder()
            .store(world.store.clone())
            .transport(world.broker.consumer())
            .handler(self.clone())
            .concurrency(8)
            .seed(7)
    }

    pub(crate) fn of(&self, post: &str) -> Vec<String> {
        let ran = self.ran.lock().unwrap();
        let of = ran.iter().filter(|(key, _)| key == post);
        of.map(|(_, id)| id.clone()).collect()
    }
}

pub(crate) fn comment(post: &str, author: &str, clock: &VectorClock) -> Envelope {
    let id = format!("{post}-{author}-{}", clock.of(author));
    let body = serde_json::json!({"post": post, "author": author, "vector": clock, "id": id});
    Envelope::new(body.to_string())
}

/// A conversation on each post: whoever speaks has heard everything before.
fn conversations(posts: u64, comments: usize) -> Vec<Envelope> {
    let mut sent = Vec::new();
    for post in 0..posts {
        let mut clock = VectorClock::default();
        for number in 0..comments {
            let author = ["ada", "bob", "eve"][number * 7 % 3];
            let clock = clock.send(author).unwrap();
            sent.push(comment(&format!("p{post}"), author, &clock));
        }
    }
    sent
}

fn in_order(post: &str, comments: usize) -> Vec<String> {
    let sent = conversations(1, comments);
    let ids = sent.iter().map(|sent| {
        let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
        body["id"].as_str().unwrap().replacen("p0", post, 1)
    });
    ids.collect()
}

#[tokio::test(start_paused = true)]
async fn no_comment_is_read_before_what_it_answers_on_several_workers() {
    let world = World::new(Faults {
        seed: 5,
        shuffle: 40,
        duplicate: 20,
        delay: Duration::from_millis(50),
        ..Faults::default()
    });
    let comments = Comments::default();
    world.broker.publish(conversations(8, 20)).await.unwrap();
    let run = |name: &str| {
        let worker = comments.worker(&world).id(name).build().unwrap();
        tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(120))))
    };
    let workers = ["w1", "w2", "w3"].map(run);
    world
        .until("all done", |world| {
            comments.ran.lock().unwrap().len() >= 160 && world.broker.backlog() == 0
        })
        .await;
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    for post in 0..8 {
        let post = format!("p{post}");
        assert_eq!(comments.of(&post), in_order(&post, 20));
    }
    assert!(world.broker.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn operators_see_what_a_key_waits_for_and_pass_over_it() {
    let world = World::new(Faults::default());
    let comments = Comments::default();
    let mut sent = conversations(1, 4);
    sent.remove(1);
    let held = serde_json::json!({"post": "p0", "author": "ada", "id": "x"});
    sent.push(Envelope::new(held.to_string()));
    world.broker.publish(sent).await.unwrap();
    let worker = comments.worker(&world).build().unwrap();
    let running = tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(60))));
    world
        .until("it waits", |world| world.broker.backlog() == 0)
        .await;
    let dead = world.broker.dead_letters();
    assert_eq!(dead.len(), 1, "that without a clock");
    assert!(dead[0].1.text.contains("has no `/vector`"), "{}", dead[0].1);
    let (group, key) = (group(Order::Causal), Key::new("p0").unwrap());
    let view = world.admin().inspect(&group, &key).await;
    let view = view.unwrap().expect("it is known");
    let waiting: Vec<_> = view.waiting.iter().map(|event| &event.id[..]).collect();
    assert_eq!(waiting, ["p0-ada-2", "p0-eve-1"]);
    let causes = view.causes.iter();
    let causes = causes.map(|cause| (&cause.producer[..], cause.from, cause.to));
    let causes: Vec<_> = causes.collect();
    assert_eq!(causes, [("bob", 1, 1)]);
    assert_eq!((view.held_events, view.last_seq), (2, 1));
    assert!(view.gap_since.is_some() && view.held_bytes > 0);
    for verb in [
        Verb::SetLast { to: 7 },
        Verb::Import {
            epoch: None,
            last: 7,
        },
    ] {
        let verdict = operate_on(&world, &group, &key, verb).await;
        assert_eq!(verdict, Verdict::Refused(Refusal::NoNumbers));
    }
    let Verdict::Operated(effect) = operate_on(&world, &group, &key, Verb::Skip { to: None }).await
    else {
        panic!("it waits");
    };
    assert_eq!(effect.released.len(), 2);
    world
        .until("the rest", |_| comments.of("p0").len() == 3)
        .await;
    assert_eq!(comments.of("p0"), ["p0-ada-1", "p0-eve-1", "p0-ada-2"]);
    let late = conversations(1, 2).remove(1);
    world.broker.publish(vec![late]).await.unwrap();
    world
        .until("it is late", |world| world.broker.dead_letters().len() == 2)
        .await;
    running.await.unwrap().unwrap();
}

/// Bookings, each with a Lamport time: `{"account": …, "branch": …, "seq": …, "time": …, "id": …}`.
#[derive(Clone, Default)]
struct Bookings {
    ran: Arc<Mutex<Vec<(String, String)>>>,
}

impl Handler for Bookings {
    type Event = serde_json::Value;

    fn options(&self) -> HandlerOptions {
        let mut options = HandlerOptions::new("test");
        options.policy.order = Order::Lamport;
        options
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<Self::Event>, Malformed> {
        let event: serde_json::Value = ordered_core::handler::json_event(envelope)?;
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        Ok(Decoded {
            key: Key::new(text("account"))?,
            seq: Seq::UNNUMBERED,
            id: EventId::new(text("id"))?,
            event,
        })
    }

    fn stamp(&self, _: &Envelope, event: Option<&Self::Event>) -> Result<Option<Stamp>, Malformed> {
        let Some(event) = event else {
            return Ok(None);
        };
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        let branch = event["branch"].as_str().unwrap_or_default();
        if number("time") == 0 {
            // As for another order.
            let clock: VectorClock = serde_json::from_value(serde_json::json!({branch: 1}))
                .map_err(|error| Malformed(error.to_string()))?;
            return Ok(Some(Stamp::causal(branch, clock)?));
        }
        let stamp = Stamp::lamport(branch, number("seq"), number("time"))?;
        Ok(Some(stamp))
    }

    async fn call(&self, event: Self::Event, context: Context) -> Result<(), HandlerError> {
        let stamp = context.clock().expect("it has one");
        assert_eq!(stamp.time(), event["time"].as_u64());
        assert!(!context.seq().is_numbered());
        let ran = (context.key().to_string(), context.event_id().to_string());
        self.ran.lock().unwrap().push(ran);
        Ok(())
    }
}

const BRANCHES: [&str; 3] = ["north", "south", "west"];

impl Bookings {
    fn worker(&self, world: &World) -> WorkerBuilder {
        Worker::builder()
            .store(world.store.clone())
            .transport(world.broker.consumer())
            .handler(self.clone())
            .concurrency(8)
            .seed(7)
    }

    fn of(&self, account: &str) -> Vec<String> {
        let ran = self.ran.lock().unwrap();
        let of = ran.iter().filter(|(key, _)| key == account);
        of.map(|(_, id)| id.clone()).collect()
    }
}

fn booking(account: &str, branch: &str, seq: u64, time: u64) -> Envelope {
    let id = format!("{account}-{time}-{branch}");
    let body = serde_json::json!(
        {"account": account, "branch": branch, "seq": seq, "time": time, "id": id}
    );
    Envelope::new(body.to_string())
}

fn say(account: &str, control: &Control) -> Envelope {
    control.envelope(&Key::new(account).unwrap())
}

fn shows(account: &str, branch: &str, after: u64, time: u64) -> Envelope {
    let producer = branch.to_owned();
    let control = Control::Clock {
        producer,
        after,
        time,
    };
    say(account, &control)
}

/// Bookings of the branches, each of which has heard of some of the others', their ids in the order of their times, and
/// what the branches say in the end.
fn bookings(account: &str, events: usize) -> (Vec<Envelope>, Vec<String>, Vec<Envelope>) {
    let mut clocks = [LamportClock::default(); 3];
    let (mut seqs, mut sent, mut order) = ([0; 3], Vec::new(), Vec::new());
    for number in 0..events {
        let (branch, other) = (number * 7 % 3, number * 5 % 3);
        if number % 4 == 0 {
            let known = clocks[other].time();
            clocks[branch].receive(known);
        }
        seqs[branch] += 1;
        let (name, time) = (BRANCHES[branch], clocks[branch].send());
        sent.push(booking(account, name, seqs[branch], time));
        order.push((time, name));
    }
    order.sort_unstable();
    let ids = order
        .iter()
        .map(|(time, name)| format!("{account}-{time}-{name}"));
    let leaves = BRANCHES.iter().zip(seqs).map(|(branch, after)| {
        let producer = (*branch).to_owned();
        say(account, &Control::Leave { producer, after })
    });
    (sent, ids.collect(), leaves.collect())
}

#[tokio::test(start_paused = true)]
async fn two_groups_run_bookings_in_one_order_on_several_workers() {
    let mut ran = Vec::new();
    for seed in [5, 11] {
        let world = World::new(Faults {
            seed,
            shuffle: 40,
            duplicate: 20,
            delay: Duration::from_millis(50),
            ..Faults::default()
        });
        let accounts: Vec<String> = (0..6).map(|account| format!("a{account}")).collect();
        let handler = Bookings::default();
        let run = |name: &str| {
            let worker = handler.worker(&world).id(name).build().unwrap();
            tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(120))))
        };
        let workers = ["w1", "w2", "w3"].map(run);
        for account in &accounts {
            let joins = BRANCHES.map(|branch| shows(account, branch, 0, 0));
            world.broker.publish(joins.into()).await.unwrap();
        }
        world
            .until("all are known", |world| world.broker.backlog() == 0)
            .await;
        let (mut sent, mut left) = (Vec::new(), Vec::new());
        for account in &accounts {
            let (bookings, _, leaves) = bookings(account, 20);
            sent.extend(bookings);
            left.extend(leaves);
        }
        sent.extend(left);
        world.broker.publish(sent).await.unwrap();
        world
            .until("all done", |world| {
                handler.ran.lock().unwrap().len() >= 120 && world.broker.backlog() == 0
            })
            .await;
        for worker in workers {
            worker.await.unwrap().unwrap();
        }
        for account in &accounts {
            assert_eq!(handler.of(account), bookings(account, 20).1);
        }
        assert!(world.broker.dead_letters().is_empty());
        ran.push(
            accounts
                .iter()
                .map(|account| handler.of(account))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(ran[0], ran[1]);
}

#[tokio::test(start_paused = true)]
async fn operators_see_who_holds_a_key_and_what_is_late_is_dead_lettered() {
    let world = World::new(Faults::default());
    let handler = Bookings::default();
    let worker = handler
        .worker(&world)
        .producer_lease(Duration::from_secs(20));
    let worker = worker.build().unwrap();
    let running = tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(90))));
    let sent = vec![
        shows("a0", "south", 0, 3),
        booking("a0", "north", 1, 5),
        booking("a0", "west", 1, 0),
    ];
    world.broker.publish(sent).await.unwrap();
    world
        .until("it waits", |world| world.broker.backlog() == 0)
        .await;
    let dead = world.broker.dead_letters();
    assert_eq!(dead.len(), 1, "that without a time");
    assert!(
        dead[0].1.text.contains("a `seq` and a `time`"),
        "{}",
        dead[0].1
    );
    let (group, key) = (group(Order::Lamport), Key::new("a0").unwrap());
    let view = world.admin().inspect(&group, &key).await;
    let view = view.unwrap().expect("it is known");
    let waiting: Vec<_> = view.waiting.iter().map(|event| &event.id[..]).collect();
    assert_eq!(waiting, ["a0-5-north"]);
    let holders = view.holders.iter();
    let holders: Vec<_> = holders
        .map(|holder| (&holder.producer[..], holder.time))
        .collect();
    assert_eq!(holders, [("south", 3)]);
    assert!(view.causes.is_empty() && view.release_at.is_some_and(|at| at > view.now));
    let times = view.producers.iter();
    let times: Vec<_> = times
        .map(|known| (&known.producer[..], known.time))
        .collect();
    assert_eq!(times, [("south", Some(3)), ("north", Some(0))]);

    // Nothing is heard of it, and it is given up.
    world
        .until("it runs", |_| handler.of("a0").len() == 1)
        .await;
    let view = world.admin().inspect(&group, &key).await;
    let view = view.unwrap().expect("it is known");
    assert_eq!(view.producers[0].gone.as_deref(), Some("silent"));
    let late = booking("a0", "south", 1, 4);
    world.broker.publish(vec![late]).await.unwrap();
    world
        .until("it is late", |world| world.broker.dead_letters().len() == 2)
        .await;
    let (_, reason) = &world.broker.dead_letters()[1];
    assert!(reason.text.contains("came after its turn"), "{reason}");
    // It is there again, and the next one has to wait for it.
    world
        .broker
        .publish(vec![booking("a0", "north", 2, 6)])
        .await
        .unwrap();
    world
        .until("it waits", |world| world.broker.backlog() == 0)
        .await;
    assert_eq!(handler.of("a0"), ["a0-5-north"]);
    let verdict = operate_on(&world, &group, &key, Verb::Skip { to: None }).await;
    assert!(matches!(verdict, Verdict::Operated(_)), "{verdict:?}");
    world
        .until("the rest", |_| handler.of("a0").len() == 2)
        .await;
    running.await.unwrap().unwrap();
}

/// Reads every event as one without a seq.
struct Unnumbered;

impl Handler for Unnumbered {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("test")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let key = Key::new("k0")?;
        Ok(Decoded {
            id: EventId::of_body(&key, &envelope.body),
            seq: Seq::UNNUMBERED,
            key,
            event: (),
        })
    }

    async fn call(&self, (): (), _: Context) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_seq_is_refused_where_seqs_count() {
    for (order, refused) in [(Order::Sequence, 1), (VERSIONS, 1), (Order::Arrival, 0)] {
        let world = World::new(Faults::default());
        world.publish(1, 1).await;
        let worker = Worker::builder()
            .store(world.store.clone())
            .transport(world.broker.consumer())
            .handler(Unnumbered)
            .order(order)
            .build()
            .unwrap();
        let settled = world.until("it is settled", |world| world.broker.backlog() == 0);
        worker.run_until(settled).await.unwrap();
        let dead = world.broker.dead_letters();
        assert_eq!(dead.len(), refused, "{order}");
        for (_, reason) in dead {
            assert!(reason.text.contains("the event has no seq"), "{reason}");
        }
    }
}
