//! The facade as an application uses it.

mod handler;
mod hostile;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "opentelemetry")]
mod trace;
