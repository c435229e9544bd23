//! An order service: it keeps the history of every order, whatever the broker does to the events on the way.
//!
//! Without arguments it shows what the framework does, in memory. With `work` it is a worker, with `produce` a
//! producer, on any broker and store.

mod demo;
mod event;
mod handled_log;
mod handler;
mod produce;
mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::{end, log};
use tracing::level_filters::LevelFilter;

/// Handles the events of orders in order and once. Without a command: a demonstration in memory.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Shuffled and duplicated events of a few orders, in memory, and what happens to them.
    Demo(demo::Options),
    /// A worker: start as many as you like.
    Work(work::Options),
    /// A producer of test events.
    Produce(produce::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let quiet = matches!(arguments.command, None | Some(Command::Demo(_)));
    let default = if quiet {
        LevelFilter::ERROR
    } else {
        LevelFilter::INFO
    };
    log(default);
    let outcome = match arguments
        .command
        .unwrap_or_else(|| Command::Demo(demo::Options::default()))
    {
        Command::Demo(options) => demo::run(&options).await,
        Command::Work(options) => work::run(options).await,
        Command::Produce(options) => produce::run(&options).await,
    };
    end(outcome)
}
