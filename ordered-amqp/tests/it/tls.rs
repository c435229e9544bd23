//! `amqps://`, with a certificate made for tests.

use ordered_amqp::Amqp;
use ordered_core::transport::{
    ConsumeOptions, Disposition, Publish, Reason, ReasonKind, Transport,
};
use ordered_testkit::server::{AUTHORITY, RabbitServer};
use ordered_testkit::unique;

use crate::support::{numbered, settle, take};

#[tokio::test]
async fn everything_goes_over_tls_and_a_strange_certificate_is_refused() {
    let server = RabbitServer::builder().tls().start().await.unwrap();
    let url = server.tls_url().unwrap();
    let untrusted = Amqp::connect(&url).queue("q").await.err().unwrap();
    let message = untrusted.to_string();
    assert!(message.contains("certificate"), "{message}");
    let builder = Amqp::connect(&url)
        .queue(unique("events"))
        .ca_certificates(AUTHORITY);
    let transport = builder.await.unwrap();
    transport.publisher().publish(numbered(3)).await.unwrap();
    transport
        .start(ConsumeOptions { max_unsettled: 10 })
        .await
        .unwrap();
    let deliveries = take(&transport, 3).await;
    let reason = Reason {
        kind: ReasonKind::Malformed,
        text: "no".into(),
    };
    settle(&transport, &deliveries[0], Disposition::DeadLetter(reason)).await;
    transport.close().await.unwrap();
}
