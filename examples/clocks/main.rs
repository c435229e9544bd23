//! Three branches book on one account, and two groups run the bookings in one order, whatever came first.
//!
//! Each booking has the time of its branch's Lamport clock. `order = "lamport"` runs it when no other branch can send
//! anything that comes before it. One branch has a slow clock, and is waited for. One dies, and is given up after a
//! while; what it sends later than that is late, and not run.
//!
//! `cargo run --example clocks` shows it in memory. With `work` it is a worker, with `produce` the branches.

mod booking;
mod branches;
mod demo;
mod handler;
mod work;

use std::error::Error;

use clap::{Parser, Subcommand};

/// Bookings of three branches, in one order. Without a command: a demonstration in memory.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A worker: start as many as you like.
    Work(work::Options),
    /// The branches.
    Produce(branches::Options),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let level = match arguments.command {
        Some(_) => tracing::level_filters::LevelFilter::INFO,
        None => tracing::level_filters::LevelFilter::ERROR,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .init();
    match arguments.command {
        None => demo::run().await,
        Some(Command::Work(options)) => work::run(options).await,
        Some(Command::Produce(options)) => branches::produce(options).await,
    }
}
