//! Producers that give their events no ids, and how they number them.

use std::sync::{Arc, Mutex};

use ordered_events::core::transport::ReasonKind;
use ordered_events::core::worker::WorkerEvent;
use ordered_events::{
    Envelope, MemoryBroker, MemoryStore, Publish, State, Store, Worker, ordered_handler,
};
use ordered_testkit::{eventually, unique};
use serde::Deserialize;
use tokio::sync::oneshot;

#[derive(Deserialize)]
struct Step {
    order: String,
    seq: u64,
    text: String,
}

type Texts = Arc<Mutex<Vec<String>>>;

#[ordered_handler(key = "order", seq = "seq")]
async fn note(step: Step, State(texts): State<Texts>) {
    let text = format!("{} {} {}", step.order, step.seq, step.text);
    texts.lock().unwrap().push(text);
}

fn step(seq: u64, text: &str) -> Envelope {
    Envelope::new(format!(
        r#"{{"order": "a", "seq": {seq}, "text": "{text}"}}"#
    ))
}

/// The producer was set up anew and lost its counter: its new events have the seqs of old ones.
async fn a_producer_starts_its_numbering_again(store: Arc<dyn Store>) {
    let (broker, texts, duplicates) = (MemoryBroker::new(), Texts::default(), Texts::default());
    let seen = Arc::clone(&duplicates);
    let worker = Worker::builder()
        .shared_store(store)
        .transport(broker.consumer())
        .handler(note)
        .state(Arc::clone(&texts))
        .options(|options| options.group = unique("numbering"))
        .observe(move |worker_event| {
            if let WorkerEvent::Duplicate { event } = worker_event {
                seen.lock().unwrap().push(event.id.to_string());
            }
        })
        .build()
        .unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    let publish = async |events: Vec<Envelope>| {
        broker.publish(events).await.unwrap();
        eventually("everything is settled", async || broker.backlog() == 0).await;
    };

    publish(vec![step(1, "old"), step(2, "old")]).await;
    publish(vec![step(1, "new"), step(2, "new"), step(3, "new")]).await;
    assert_eq!(*texts.lock().unwrap(), ["a 1 old", "a 2 old", "a 3 new"]);
    assert_eq!(*duplicates.lock().unwrap(), [""; 0]);
    let dead: Vec<_> = broker
        .dead_letters()
        .into_iter()
        .map(|(envelope, reason)| (envelope.body, reason.kind))
        .collect();
    assert_eq!(
        dead,
        [
            (step(1, "new").body, ReasonKind::Conflict),
            (step(2, "new").body, ReasonKind::Conflict),
        ]
    );

    // What comes again as it was is still a duplicate.
    publish(vec![step(1, "old")]).await;
    assert_eq!(broker.dead_letters().len(), 2);
    assert_eq!(duplicates.lock().unwrap().len(), 1);
    assert_eq!(texts.lock().unwrap().len(), 3);
    stop.send(()).unwrap();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_producer_without_ids_starts_its_numbering_again_and_people_see_conflicts() {
    a_producer_starts_its_numbering_again(Arc::new(MemoryStore::new())).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_producer_without_ids_starts_its_numbering_again_and_people_see_conflicts_over_redis() {
    let redis = ordered_testkit::server::RedisServer::shared().await;
    let store = ordered_events::RedisStore::connect(&redis.unwrap().url()).await;
    a_producer_starts_its_numbering_again(Arc::new(store.unwrap())).await;
}
