//! The facade as an application uses it.

mod handler;
mod hostile;
mod ui;
