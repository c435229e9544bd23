//! The facade as an application uses it.

mod first_hour;
mod handler;
mod hostile;
mod numbering;
#[cfg(feature = "prometheus")]
mod prometheus;
mod settings;
#[cfg(feature = "opentelemetry")]
mod trace;
