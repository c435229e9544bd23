//! The strategy "transactional outbox", for strong consistency across services.
//!
//! Payments: a service debits accounts and stages events in one transaction, a relay publishes them, and workers credit
//! the other accounts, each event in order and once, while processes are killed and Redis loses everything.
//!
//! `cargo run --example payments -- --demo` starts private servers, if they are installed. Without `--demo` it uses
//! those of the addresses that it is given; it flushes no Redis then.

mod bank;
mod child;
mod demo;
mod output;
mod relay;
mod service;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::{end, log};
use tracing::level_filters::LevelFilter;

/// Moves money from account to account with an outbox and an inbox, and kills what takes part.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Starts Postgres, RabbitMQ and Redis for itself, and flushes that Redis in the middle.
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    load: demo::Load,
    #[command(flatten)]
    servers: Servers,
    #[command(subcommand)]
    role: Option<Role>,
}

/// Where everything is.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Servers {
    /// The database: it gets the tables of this example and those of `ordered`.
    #[arg(long, global = true, default_value = "postgres://localhost/payments")]
    postgres: String,
    /// The broker.
    #[arg(long, global = true, default_value = "amqp://localhost")]
    rabbit: String,
    /// The store.
    #[arg(long, global = true, default_value = "redis://localhost")]
    redis: String,
    /// The queue, and the group of the workers.
    #[arg(long, global = true, default_value = "payments")]
    queue: String,
}

/// A process that takes part. The program starts them by itself.
#[derive(Subcommand)]
enum Role {
    /// Debits accounts and stages events.
    Service(service::Options),
    /// Publishes what is staged.
    Relay,
    /// Credits accounts.
    Worker {
        /// Gets one byte for each run of the handler.
        #[arg(long)]
        runs: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let default = match arguments.role {
        None => LevelFilter::ERROR,
        Some(_) => LevelFilter::INFO,
    };
    log(default);
    let servers = arguments.servers;
    let outcome = match arguments.role {
        None => demo::run(servers, arguments.demo, &arguments.load).await,
        Some(role) => {
            child::end_with_the_starter();
            match role {
                Role::Service(options) => service::run(&servers, &options).await,
                Role::Relay => relay::run(&servers).await,
                Role::Worker { runs } => worker::run(&servers, &runs).await,
            }
        }
    };
    end(outcome)
}
