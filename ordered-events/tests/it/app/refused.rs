//! Mistakes that are told before anything starts.

use std::time::Duration;

use ordered_events::{App, BuildError, MemoryBroker};

use super::{Log, apply_order, apply_payment, store};

async fn refusal(app: App) -> String {
    match app.state(Log::default()).build().await {
        Ok(_) => panic!("the app can be built"),
        Err(error) => error.to_string(),
    }
}

fn app() -> App {
    App::new().store(store())
}

fn queue() -> impl ordered_events::Transport {
    MemoryBroker::new().consumer()
}

#[tokio::test]
async fn a_part_that_is_missing() {
    for (app, words) in [
        (app(), "there is no worker: add a handler"),
        (App::new().handler(queue(), apply_order), "has no store"),
        (
            app().queue("orders", apply_order),
            "the queue `orders` is named without a broker",
        ),
    ] {
        let refused = refusal(app).await;
        assert!(refused.contains(words), "{refused}");
    }
    let app = App::connect("nothing://here", "memory://x").await.unwrap();
    let refused = refusal(app.queue("orders", apply_order)).await;
    assert!(
        refused.contains("the queue `orders`: there is no transport"),
        "{refused}"
    );
}

#[tokio::test]
async fn workers_of_one_group_that_differ() {
    let both = |one: &'static str, other: &'static str| {
        app()
            .handler_with(queue(), apply_order, move |worker| worker.group(one))
            .handler_with(queue(), apply_payment, move |worker| worker.group(other))
    };
    let refused = refusal(both("same", "same")).await;
    assert!(
        refused.contains("two workers of the group `same` differ in their handlers"),
        "{refused}"
    );
    assert!(
        both("one", "other")
            .state(Log::default())
            .build()
            .await
            .is_ok()
    );
    let refused = refusal(app().handler(queue(), apply_order).handler_with(
        queue(),
        apply_order,
        |worker| worker.timeout(Duration::from_secs(1)),
    ))
    .await;
    assert!(refused.contains("differ in their options"), "{refused}");
    let twice = app()
        .handler(queue(), apply_order)
        .handler(queue(), apply_order);
    assert!(twice.state(Log::default()).build().await.is_ok());
}

#[tokio::test]
async fn two_groups_on_one_queue() {
    let broker = MemoryBroker::new();
    let app = app()
        .handler(Named(broker.consumer()), apply_order)
        .handler(Named(broker.consumer()), apply_payment)
        .state(Log::default());
    let Err(ordered_events::AppError::Build(BuildError::Workers(refused))) = app.build().await
    else {
        panic!("not refused");
    };
    assert!(
        refused.contains(
            "the groups `apply_order` and `apply_payment` consume one queue (broker/orders)"
        ),
        "{refused}"
    );
}

/// A consumer whose queue has a name.
struct Named(ordered_events::MemoryTransport);

#[async_trait::async_trait]
impl ordered_events::Transport for Named {
    fn source(&self) -> Option<String> {
        Some("broker/orders".into())
    }

    async fn start(
        &self,
        options: ordered_core::transport::ConsumeOptions,
    ) -> Result<(), ordered_core::transport::TransportError> {
        self.0.start(options).await
    }

    async fn receive(
        &self,
        max: usize,
    ) -> Result<Vec<ordered_core::transport::Delivery>, ordered_core::transport::TransportError>
    {
        self.0.receive(max).await
    }

    async fn settle(
        &self,
        settlements: Vec<ordered_core::transport::Settlement>,
    ) -> Result<(), ordered_core::transport::TransportError> {
        self.0.settle(settlements).await
    }

    async fn close(&self) -> Result<(), ordered_core::transport::TransportError> {
        self.0.close().await
    }
}
