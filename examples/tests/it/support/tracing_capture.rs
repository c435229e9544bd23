//! Captures the events and the spans of our crates in this process, at every level.

use std::fmt::{Debug, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static CAPTURED: LazyLock<Mutex<String>> = LazyLock::new(Mutex::default);

struct TracingCapture;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn capture(metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
    let mut line = Line(format!("{} {}:", metadata.level(), metadata.target()));
    record(&mut line);
    let mut captured = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
    captured.push_str(&line.0);
    captured.push('\n');
}

impl Subscriber for TracingCapture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ordered")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        capture(span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        let mut captured = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
        captured.push_str(&line.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        capture(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Begins to capture, for the rest of the process.
pub(crate) fn start() {
    let _ = tracing::subscriber::set_global_default(TracingCapture);
}

pub(crate) fn captured() -> String {
    CAPTURED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}
