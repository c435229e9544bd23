//! With the feature `opentelemetry`: what an exporter gets.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use ordered_events::core::event::TraceParent;
use ordered_events::{MemoryBroker, Publisher, Transport};
use tracing_subscriber::layer::SubscriberExt;

use super::support::{SPAN, TRACE, event, handle};

#[derive(Debug, Clone, Default)]
struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// The spans of the handler, by seq, of a worker that gets these events.
async fn spans(events: Vec<ordered_events::Envelope>) -> Vec<SpanData> {
    let exported = Exported::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exported.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let guard = tracing::subscriber::set_default(subscriber);
    handle(events).await;
    drop(guard);
    provider.force_flush().unwrap();
    let mut spans = exported.0.lock().unwrap().clone();
    spans.retain(|span| span.name == "handle");
    spans.sort_by_key(|span| attribute(span, "seq").parse::<u64>().unwrap());
    spans
}

fn attribute(span: &SpanData, name: &str) -> String {
    let attribute = span.attributes.iter().find(|one| one.key.as_str() == name);
    attribute
        .unwrap_or_else(|| panic!("no {name} in {:?}", span.attributes))
        .value
        .to_string()
}

fn trace_id() -> TraceId {
    TraceId::from_hex(TRACE).unwrap()
}

#[tokio::test]
async fn the_handlers_span_is_a_child_of_the_producers() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "shop=42")];
    // The second comes first, and is held: it gets its headers back from the store.
    let spans = spans(vec![event(2, &headers), event(1, &headers)]).await;
    assert_eq!(spans.len(), 2);
    for span in spans {
        assert_eq!(span.span_context.trace_id(), trace_id());
        assert_eq!(span.parent_span_id, SpanId::from_hex(SPAN).unwrap());
        assert!(span.parent_span_is_remote);
        assert_eq!(span.span_context.trace_state().get("shop"), Some("42"));
        assert_eq!(span.span_kind, SpanKind::Consumer);
        assert_eq!(attribute(&span, "group"), "traced");
        assert_eq!(attribute(&span, "key"), "k");
        assert_eq!(attribute(&span, "attempt"), "1");
    }
}

#[tokio::test]
async fn an_event_without_a_valid_parent_begins_a_trace_of_its_own() {
    let wrong = format!("00-{TRACE}-0000000000000000-01");
    let spans = spans(vec![event(1, &[]), event(2, &[("traceparent", &wrong)])]).await;
    assert_eq!(spans.len(), 2);
    for span in spans {
        assert_ne!(span.span_context.trace_id(), trace_id());
        assert_eq!(span.parent_span_id, SpanId::INVALID);
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_read_does_not_cost_the_parent() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "=,=;")];
    let spans = spans(vec![event(1, &headers)]).await;
    assert_eq!(spans[0].span_context.trace_id(), trace_id());
}

#[tokio::test]
async fn a_producer_that_records_nothing_is_followed_in_that() {
    let parent = format!("00-{TRACE}-{SPAN}-00");
    let spans = spans(vec![event(1, &[("traceparent", &parent)])]).await;
    assert_eq!(spans.len(), 0);
}

#[tokio::test]
async fn a_run_that_fails_is_a_span_with_an_error() {
    let before = (1..10).map(|seq| event(seq, &[]));
    let spans = spans(before.chain([event(10, &[])]).collect()).await;
    let (last, others) = spans.split_last().unwrap();
    assert!(
        matches!(last.status, Status::Error { .. }),
        "{:?}",
        last.status
    );
    assert_eq!(attribute(last, "error"), "not this one");
    assert!(others.iter().all(|span| span.status == Status::Unset));
}

#[tokio::test]
async fn what_is_published_in_a_span_names_it() {
    let exported = Exported::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exported.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let broker = MemoryBroker::new();
    let publisher =
        Publisher::builder(broker.clone()).trace(ordered_events::opentelemetry::current);
    let publisher = publisher.build().unwrap();
    let produced = tracing::info_span!("produce");
    let within = produced.in_scope(|| publisher.try_enqueue(event(1, &[])));
    within.unwrap().await.unwrap();
    publisher
        .enqueue(event(2, &[]))
        .await
        .unwrap()
        .await
        .unwrap();
    drop(produced);
    drop(guard);
    provider.force_flush().unwrap();
    let spans = exported.0.lock().unwrap().clone();
    let span = spans.iter().find(|span| span.name == "produce").unwrap();
    let deliveries = broker.consumer().receive(10).await.unwrap();
    let parent = TraceParent::of(&deliveries[0].envelope.headers).unwrap();
    assert_eq!(
        TraceId::from(parent.trace_id()),
        span.span_context.trace_id()
    );
    assert_eq!(SpanId::from(parent.span_id()), span.span_context.span_id());
    assert_eq!(TraceParent::of(&deliveries[1].envelope.headers), None);
}
