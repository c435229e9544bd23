//! How often the worker has asked the store, from the worker's own metrics.

use std::sync::Arc;

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use super::meter::Meter;
use crate::Failure;

const BATCHES: &str = "ordered_store_batch_commands";

pub(super) fn install(meter: &Arc<Meter>) -> Result<(), Failure> {
    metrics::set_global_recorder(Batches(Arc::clone(meter)))?;
    Ok(())
}

struct Batches(Arc<Meter>);

struct Batch(Arc<Meter>);

impl HistogramFn for Batch {
    fn record(&self, _commands: f64) {
        self.0.round_trip();
    }
}

impl Recorder for Batches {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == BATCHES {
            Histogram::from_arc(Arc::new(Batch(Arc::clone(&self.0))))
        } else {
            Histogram::noop()
        }
    }
}
