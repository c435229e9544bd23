use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::publish::{Outgoing, header};
use ordered_core::transport::{Publish, TransportError};
use ordered_testkit::eventually;
use ordered_testkit::server::RedisServer;

use crate::support::list_broker::{ListBroker, builder, event};

/// Does not take the event `poison`, for as long as it does not.
#[derive(Clone)]
struct Choosy {
    list: ListBroker,
    refuses: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

#[async_trait]
impl Publish for Choosy {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut outcomes = Vec::new();
        for event in events {
            let is_poison = event.envelope().headers[header::ID] == "poison";
            if is_poison && self.refuses.load(Ordering::Relaxed) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                outcomes.push(Err(TransportError::fatal("too large")));
            } else {
                outcomes.extend(self.list.send(std::slice::from_ref(event)).await);
            }
        }
        outcomes
    }
}

#[tokio::test]
async fn a_key_whose_event_is_refused_waits_alone_and_goes_on_in_order() {
    let server = RedisServer::start().await.unwrap();
    let list = ListBroker::on(&server.url()).await;
    let choosy = Choosy {
        list: list.clone(),
        refuses: Arc::new(AtomicBool::new(true)),
        refused: Arc::default(),
    };
    let sequencer = builder(&server.url(), choosy.clone())
        .await
        .connect()
        .await
        .unwrap();
    for (key, id) in [("a", "1"), ("a", "poison"), ("a", "3"), ("b", "4")] {
        sequencer.stage(&event(key, id)).await.unwrap();
    }
    eventually("it is tried again and again", async || {
        choosy.refused.load(Ordering::Relaxed) > 3
    })
    .await;
    sequencer.stage(&event("b", "5")).await.unwrap();
    list.has(3).await;
    let status = sequencer.status().await.unwrap();
    assert_eq!((status.events, status.keys), (2, 1), "the key waits");
    choosy.refuses.store(false, Ordering::Relaxed);
    list.has(5).await;
    let (last, _) = list.is_without_gaps().await;
    assert_eq!((last["a"], last["b"]), (3, 2));
}

#[tokio::test]
async fn what_is_staged_while_redis_restarts_is_numbered_once() {
    let mut server = RedisServer::start().await.unwrap();
    let list = ListBroker::on(&server.url()).await;
    let sequencer = builder(&server.url(), list)
        .await
        .stage_timeout(Duration::from_secs(60));
    let sequencer = sequencer
        .remember(Duration::from_secs(120))
        .connect()
        .await
        .unwrap();
    let staging = tokio::spawn({
        let sequencer = sequencer.clone();
        async move {
            for number in 0..300 {
                let staged = sequencer
                    .stage(&event("a", &number.to_string()))
                    .await
                    .unwrap();
                assert_eq!(staged.seq.get(), number + 1);
            }
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.kill();
        server.start_again().await.unwrap();
    }
    staging.await.unwrap();
    // The connection of the other list has died with the server.
    let list = ListBroker::on(&server.url()).await;
    sequencer.close().await;
    let again = builder(&server.url(), list.clone())
        .await
        .connect()
        .await
        .unwrap();
    eventually("nothing is kept", async || {
        again.status().await.unwrap().events == 0
    })
    .await;
    let (last, _) = list.is_without_gaps().await;
    assert_eq!(last["a"], 300);
}
