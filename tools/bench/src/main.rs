//! What order and once cost, beside a bare consumer and the recipe that people write by hand.
//!
//! One process is the runner: it starts the servers, fills the queue, and lets the subjects run in turn, each in a
//! process of its own, so that its processor time is its own. See the crate's README.

mod cli;
mod clock;
mod event;
mod inbox;
mod load;
mod outbox;
mod report;
mod runner;
mod subject;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Arguments, Role};

#[cfg(feature = "allocations")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

/// What went wrong; the first one ends the run.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::Subject { job }) => subject::run(&job).await,
        Some(Role::Outbox(options)) => outbox::measure(&options).await,
        Some(Role::Inbox(options)) => inbox::measure(&options).await,
        None => runner::hold(arguments.options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
