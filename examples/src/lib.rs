//! The examples of `ordered` are programs: `cargo run --example orders -- --help`.
//!
//! Here is what several of them have in common, so that each of them shows only what it is about.

mod handler_log;
mod program;
mod running_worker;
mod tally;

pub use handler_log::HandlerLog;
pub use program::{Example, Outcome, end, log, run};
pub use running_worker::RunningWorker;
pub use tally::{Counts, Tally};
