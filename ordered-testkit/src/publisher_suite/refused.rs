use ordered_core::event::{Envelope, Key};
use ordered_core::publish::{NotPublishedKind, Outgoing};

use super::Refuses;
use super::load::{Load, Run, all_confirmed, builder};
use super::queue::Queue;

/// An event that the broker never takes is reported, at once and alone; those of its key and of others go on in order.
pub async fn reports_what_the_broker_refuses(fixture: &impl Refuses) {
    let load = Load::asked();
    let queue = Queue::of(fixture, load).await;
    let publisher = builder(fixture, load)
        .await
        .build()
        .expect("the settings are good");
    let run = Run::start(&publisher, &queue);
    run.reached(load.total() / 10).await;
    for key in 0..3 {
        let key = Key::new(format!("key-{key}")).expect("a key");
        let refused = Outgoing::new(key, Envelope::new(fixture.refused_body()));
        let receipt = publisher
            .enqueue(refused)
            .await
            .expect("the publisher is open");
        let error = receipt.await.expect_err("the broker does not take it");
        assert_eq!(error.kind(), NotPublishedKind::Refused, "{error}");
        println!("{error}");
    }
    all_confirmed(&run.ended().await, load.total());
    let content = queue.content(fixture).await;
    // A broker may break the connection over such an event, and with it what was under way beside it.
    println!("{} events, {} came twice", load.total(), content.repeats());
    if fixture.keeps_order() {
        content.is_in_order();
    }
}
