use std::sync::Arc;

use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use super::hooks::call;
use crate::event::TraceParent;
use crate::handler::{Context, HandlerError};

/// Is given the span of each run of the handler before the run begins, with what is known of the event: the place to
/// tie the span to the trace of the producer. It must not block.
pub type SpanHook = Arc<dyn Fn(&Span, &Context) + Send + Sync>;

/// The span of one run of the handler. A root: what the worker's own tasks do is no part of the event's story.
pub(super) fn of_run(context: &Context, hooks: &[SpanHook]) -> Span {
    let span = info_span!(
        parent: None,
        "handle",
        group = context.group(),
        key = context.key().as_str(),
        seq = context.seq().get(),
        event_id = context.event_id().as_str(),
        attempt = context.attempt(),
        events = Empty,
        trace_id = Empty,
        parent_span_id = Empty,
        error = Empty,
        otel.kind = Empty,
        otel.status_code = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    let events = context.run().count();
    if events > 1 {
        span.record("events", events);
    }
    if let Some(parent) = TraceParent::of(context.headers()) {
        span.record(
            "trace_id",
            display(format_args!("{:032x}", parent.trace_id())),
        );
        span.record(
            "parent_span_id",
            display(format_args!("{:016x}", parent.span_id())),
        );
    }
    for hook in hooks {
        call("span", || hook(&span, context));
    }
    span
}

/// How the run ended. What is done needs no word.
pub(super) fn ended(span: &Span, outcome: &Result<(), HandlerError>) {
    if let Err(error) = outcome {
        span.record("error", error.to_string());
        span.record("otel.status_code", "ERROR");
    }
}
