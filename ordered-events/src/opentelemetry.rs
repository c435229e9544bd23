//! The producer's span as the parent of the handler's, for programs whose `tracing` subscriber has the layer of
//! `tracing-opentelemetry`. Which exporter there is, and whether there is one, the program decides.
//!
//! With the feature `opentelemetry` each worker that begins with [`Worker::builder`](crate::Worker::builder) does this
//! by itself.

use std::str::FromStr;

use opentelemetry::Context as TraceContext;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use ordered_core::event::TraceParent;
use ordered_core::handler::Context;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes the span that the event's headers `traceparent` and `tracestate` name the parent of the handler's. Does
/// nothing where they name none, or where no layer of `tracing-opentelemetry` listens.
///
/// For [`WorkerBuilder::on_span`](ordered_core::worker::WorkerBuilder::on_span).
pub fn continue_trace(span: &Span, context: &Context) {
    span.record("otel.kind", "consumer");
    if let Some(parent) = parent(context) {
        // It fails where the subscriber has no such layer: then there is no trace to continue.
        let _ = span.set_parent(TraceContext::new().with_remote_span_context(parent));
    }
}

/// The span of the producer, as the event's headers name it.
#[must_use]
pub fn parent(context: &Context) -> Option<SpanContext> {
    let parent = TraceParent::of(context.headers())?;
    // A state that cannot be read leaves the rest as good as it is, says the standard.
    let state = context.headers().get(TraceParent::STATE);
    let state = state.and_then(|state| TraceState::from_str(state).ok());
    Some(SpanContext::new(
        TraceId::from(parent.trace_id()),
        SpanId::from(parent.span_id()),
        TraceFlags::new(parent.flags()),
        true,
        state.unwrap_or_default(),
    ))
}

/// The span of now, as the header `traceparent` has it. `None` where no layer of `tracing-opentelemetry` listens.
///
/// For [`PublisherBuilder::trace`](ordered_core::publish::PublisherBuilder::trace).
#[must_use]
pub fn current() -> Option<TraceParent> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    let (trace, span_id) = (span.trace_id(), span.span_id());
    let flags = span.trace_flags().to_u8();
    TraceParent::parse(&format!("00-{trace:032x}-{span_id:016x}-{flags:02x}"))
}
