//! The facade as an application uses it.

mod handler;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "opentelemetry")]
mod trace;
