//! The facade as an application uses it.

mod app;
mod first_hour;
mod handler;
mod hostile;
mod middleware;
mod numbering;
#[cfg(feature = "prometheus")]
mod prometheus;
mod routing;
mod settings;
mod stamping;
#[cfg(feature = "opentelemetry")]
mod trace;
