//! Gaps that close by themselves: an event was lost behind the outbox, or was never staged.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use lapin::{Channel, Connection, ConnectionProperties};
use ordered_amqp::Amqp;
use ordered_core::admin::Admin;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::explain::explain;
use ordered_core::protocol::{GapPolicy, KeyView, Policy};
use ordered_core::store::{Group, MemoryStore};
use ordered_core::transport::Publish;
use ordered_core::worker::Worker;
use ordered_events::{Context, State, ordered_handler};
use ordered_postgres::relay::{HEADER_ID, HEADER_KEY, HEADER_SEQ};
use ordered_postgres::{OutboxRepair, Relay, repair};
use ordered_testkit::server::RabbitServer;
use ordered_testkit::{eventually, unique};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{Running, connect, database, stage};

/// How long workers wait for an event before they ask for it.
const AFTER: Duration = Duration::from_millis(200);

type Handled = Arc<Mutex<Vec<u64>>>;

#[ordered_handler(
    key = "header:x-ordered-key",
    seq = "header:x-ordered-seq",
    id = "header:x-ordered-id",
    group = "orders"
)]
async fn apply(_event: Value, context: Context, State(handled): State<Handled>) {
    handled.lock().unwrap().push(context.seq().get());
}

struct Fixture {
    database: String,
    rabbit: String,
    queue: String,
    store: MemoryStore,
    handled: Handled,
}

impl Fixture {
    async fn new() -> Self {
        Self {
            database: database().await,
            rabbit: RabbitServer::shared().await.unwrap().url(),
            queue: unique("gaps"),
            store: MemoryStore::new(),
            handled: Arc::default(),
        }
    }

    fn transport(&self) -> ordered_amqp::AmqpBuilder {
        Amqp::connect(&self.rabbit).queue(&self.queue)
    }

    async fn relay(&self) -> Running {
        let publisher = self.transport().await.unwrap().publisher();
        Running::start(
            Relay::builder(&self.database, Arc::new(publisher))
                .poll_interval(Duration::from_millis(5))
                .repair_interval(Duration::from_millis(5)),
        )
    }

    async fn stage(&self, events: usize) {
        let mut client = connect(&self.database).await;
        stage(&mut client, &vec!["k"; events]).await;
    }

    /// Takes one event out of the queue by hand, of so many.
    async fn remove(&self, seq: u64, of: usize) {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&self.rabbit, properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut there: Vec<BasicGetMessage> = Vec::new();
        let taken = Mutex::new(&mut there);
        eventually("all are in the queue", async || {
            let found = self.get(&channel).await;
            let mut taken = taken.lock().unwrap();
            taken.extend(found);
            taken.len() == of
        })
        .await;
        for message in there {
            if seq_of(&message) == seq {
                message.ack(BasicAckOptions::default()).await.unwrap();
            } else {
                let options = BasicNackOptions {
                    requeue: true,
                    ..BasicNackOptions::default()
                };
                message.nack(options).await.unwrap();
            }
        }
        connection.close(200, "done".into()).await.unwrap();
    }

    async fn get(&self, channel: &Channel) -> Option<BasicGetMessage> {
        let queue = self.queue.as_str().into();
        let got = channel.basic_get(queue, BasicGetOptions::default()).await;
        got.unwrap()
    }

    fn worker(&self) -> (oneshot::Sender<()>, JoinHandle<()>) {
        let worker = Worker::builder()
            .store(self.store.clone())
            .handler(apply)
            .state(Arc::clone(&self.handled))
            .sweep_interval(Duration::from_millis(20))
            .on_gap(GapPolicy::Repair { after: AFTER })
            .repair(OutboxRepair::new(&self.database).unwrap());
        let transport = self.transport();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let worker = worker.transport(transport.await.unwrap());
            let stopped = async {
                let _ = stopped.await;
            };
            worker.run_until(stopped).await.unwrap();
        });
        (stop, task)
    }

    async fn view(&self) -> Option<KeyView> {
        let admin = Admin::new(Arc::new(self.store.clone()));
        let key = Key::new("k").unwrap();
        admin.inspect(&group(), &key).await.unwrap_or_default()
    }

    async fn until_handled(&self, seqs: &[u64]) {
        eventually("all are handled", async || {
            *self.handled.lock().unwrap() == seqs
        })
        .await;
    }
}

fn group() -> Group {
    let mut policy = Policy::default();
    policy.on_gap = GapPolicy::Repair { after: AFTER };
    Group::new("orders", policy)
}

fn seq_of(message: &BasicGetMessage) -> u64 {
    let headers = message.delivery.properties.headers().as_ref().unwrap();
    match &headers.inner()["x-ordered-seq"] {
        AMQPValue::LongString(text) => text.to_string().parse().unwrap(),
        other => panic!("the seq is {other:?}"),
    }
}

#[tokio::test]
async fn an_event_that_was_removed_from_rabbitmq_comes_again_and_explain_had_said_so() {
    let fixture = Fixture::new().await;
    let relay = fixture.relay().await;
    fixture.stage(4).await;
    fixture.remove(2, 4).await;
    relay.stop().await.unwrap();
    let (stop, worker) = fixture.worker();
    // Nobody answers yet: the key waits, and has asked.
    let text = Mutex::new(String::new());
    eventually("it was asked for", async || {
        let view = fixture.view().await;
        let asked = view.as_ref().is_some_and(|view| view.repair.is_some());
        *text.lock().unwrap() = explain("k", view.as_ref(), &group(), None).text;
        asked
    })
    .await;
    let text = text.into_inner().unwrap();
    assert!(text.starts_with("k waits for seq 2 since "), "{text}");
    assert!(text.contains(" It was asked for "), "{text}");
    assert!(text.contains("By itself it is asked for again "), "{text}");
    assert_eq!(*fixture.handled.lock().unwrap(), [1]);
    let _relay = fixture.relay().await;
    fixture.until_handled(&[1, 2, 3, 4]).await;
    let client = connect(&fixture.database).await;
    let key = Key::new("k").unwrap();
    let requests = repair::requests(&client, &key, 10).await.unwrap();
    let request = requests.last().unwrap();
    assert_eq!((request.resent, request.missing), (1, 0));
    assert_eq!(request.request.group, "orders");
    stop.send(()).unwrap();
    worker.await.unwrap();
}

#[tokio::test]
async fn an_event_that_was_never_staged_is_filled() {
    let fixture = Fixture::new().await;
    let _relay = fixture.relay().await;
    fixture.stage(1).await;
    let (stop, worker) = fixture.worker();
    fixture.until_handled(&[1]).await;
    // Somebody who numbers by himself left some out.
    let mut stranger = Envelope::new("{}");
    for (name, value) in [
        (HEADER_KEY, "k"),
        (HEADER_SEQ, "4"),
        (HEADER_ID, "of-its-own"),
    ] {
        stranger.headers.insert(name.to_owned(), value.to_owned());
    }
    let publisher = fixture.transport().publisher().await.unwrap();
    publisher.publish(vec![stranger]).await.unwrap();
    fixture.until_handled(&[1, 4]).await;
    let client = connect(&fixture.database).await;
    let key = Key::new("k").unwrap();
    let requests = repair::requests(&client, &key, 10).await.unwrap();
    assert!(requests.iter().any(|request| request.missing == 2));
    stop.send(()).unwrap();
    worker.await.unwrap();
}

#[tokio::test]
async fn a_key_halts_where_the_retention_has_removed_the_event_and_explain_says_so() {
    let fixture = Fixture::new().await;
    let relay = fixture.relay().await;
    fixture.stage(4).await;
    fixture.remove(2, 4).await;
    let client = connect(&fixture.database).await;
    let retention = "delete from ordered_outbox where seq = 2";
    client.batch_execute(retention).await.unwrap();
    let (stop, worker) = fixture.worker();
    let view = Mutex::new(None);
    eventually("the key is halted", async || {
        let found = fixture.view().await;
        let halted = found
            .as_ref()
            .is_some_and(|view| view.phase == "halted" && view.claim.is_none());
        *view.lock().unwrap() = found;
        halted
    })
    .await;
    let view = view.into_inner().unwrap();
    let text = explain("k", view.as_ref(), &group(), None).text;
    assert!(text.starts_with("k is halted before seq 2"), "{text}");
    let why = "the outbox staged seq 2 and removed it after the retention of the relay";
    assert!(
        text.contains(why) && text.contains("ordered skip k"),
        "{text}"
    );
    assert_eq!(*fixture.handled.lock().unwrap(), [1]);
    // Nobody asks any more. Who gives the event up lets the key go on.
    eventually("the request is answered", async || {
        let open = "select 1 from ordered_repairs where answered_at is null";
        client.query(open, &[]).await.unwrap().is_empty()
    })
    .await;
    let control = ordered_core::worker::Control::GapFill {
        from: Seq::new(2).unwrap(),
        to: Seq::new(2).unwrap(),
    };
    let publisher = fixture.transport().publisher().await.unwrap();
    let fill = control.envelope(&Key::new("k").unwrap());
    publisher.publish(vec![fill]).await.unwrap();
    fixture.until_handled(&[1, 3, 4]).await;
    relay.stop().await.unwrap();
    stop.send(()).unwrap();
    worker.await.unwrap();
}
