use bytes::Bytes;
use ordered_core::event::Envelope;

use super::TransportFixture;
use super::support::{Consumer, publish, text};

async fn comes_back(fixture: &impl TransportFixture, envelope: Envelope) {
    publish(fixture, [envelope.clone()]).await;
    let consumer = Consumer::start(fixture, 10).await;
    let mut came = consumer.one().await.envelope;
    came.headers.retain(|name, _| !fixture.is_brokers_own(name));
    assert_eq!(came.body, envelope.body);
    assert_eq!(came.headers, envelope.headers);
    if envelope.published_at.is_some() {
        assert_eq!(came.published_at, envelope.published_at);
    }
}

/// JSON with characters from all over.
pub async fn keeps_text_bodies(fixture: &impl TransportFixture) {
    comes_back(fixture, text("{\"name\":\"Ærøskøbing 北京 🦀\",\"n\":1}\n")).await;
}

/// Every byte there is.
pub async fn keeps_binary_bodies(fixture: &impl TransportFixture) {
    let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    comes_back(fixture, Envelope::new(bytes)).await;
}

/// A body of no bytes.
pub async fn keeps_empty_bodies(fixture: &impl TransportFixture) {
    comes_back(fixture, Envelope::new(Bytes::new())).await;
}

/// A body of 2^20 bytes of text.
pub async fn keeps_bodies_of_a_megabyte(fixture: &impl TransportFixture) {
    let body: String = ('a'..='z').cycle().take(1 << 20).collect();
    comes_back(fixture, text(body)).await;
}

/// Headers with odd names and values.
pub async fn keeps_headers(fixture: &impl TransportFixture) {
    let mut envelope = text("body");
    for (name, value) in [
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("Content.Kind-2_x", "Grüße, 世界"),
        ("number", "9007199254740993"),
        ("flag", "true"),
    ] {
        envelope.headers.insert(name.into(), value.into());
    }
    comes_back(fixture, envelope).await;
}

/// The producer's time, to the millisecond.
pub async fn keeps_published_at(fixture: &impl TransportFixture) {
    let envelope = Envelope {
        published_at: Some(1_700_000_000_123),
        ..text("body")
    };
    comes_back(fixture, envelope).await;
}
