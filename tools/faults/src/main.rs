//! `cargo run --release -p faults -- all` runs every fault; `-- list` names them; `-- run kill-redis clocks --seed 5`
//! runs some, again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use faults::report::{Report, heading, row, write_document};
use faults::worker::Pace;
use faults::{Error, Fault, Plan, Servers, faults, money, worker};
use tracing_subscriber::filter::LevelFilter;

/// Breaks workers, Redis, RabbitMQ and Kafka, and holds what happened against what is promised.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every fault.
    All(Options),
    /// Names them.
    List,
    /// Runs the faults with these names.
    Run {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// A worker; the suite starts them.
    #[command(hide = true)]
    Work {
        /// What it is told, in JSON.
        config: String,
    },
    /// A process that moves money; the suite starts them.
    #[command(hide = true)]
    Participate {
        /// What it is told, in JSON.
        config: String,
    },
}

#[derive(clap::Args)]
struct Options {
    /// What decides everything that chance decides; printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many events for each fault.
    #[arg(long)]
    events: Option<usize>,
    /// Over how many keys they are spread.
    #[arg(long, default_value_t = 200)]
    keys: usize,
    /// How often each fault is injected.
    #[arg(long)]
    injections: Option<usize>,
    /// How many events of a key a worker takes before the first of them is committed: one, or up to ten.
    #[arg(long, value_enum, default_value_t)]
    pace: Pace,
    /// A few thousand events, and two injections.
    #[arg(long)]
    short: bool,
    /// Redis keeps nothing on disk, which breaks the promises: to see that the suite reports it.
    #[arg(long)]
    volatile_redis: bool,
    /// A file for the results in JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The document between whose markers the results are put.
    #[arg(long)]
    document: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let level = std::env::var("RUST_LOG").ok();
    let level = level.and_then(|level| level.parse().ok());
    let arguments = Arguments::parse();
    let default = match arguments.command {
        Command::Work { .. } | Command::Participate { .. } => LevelFilter::INFO,
        // What connections say of faults is no news here.
        _ => LevelFilter::OFF,
    };
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(default))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match execute(arguments.command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
async fn execute(command: Command) -> Result<bool, Error> {
    match command {
        Command::List => {
            for fault in faults() {
                println!("{:24} {}", fault.name, fault.what);
            }
            Ok(true)
        }
        Command::Work { config } => {
            worker::work(serde_json::from_str(&config)?).await?;
            Ok(true)
        }
        Command::Participate { config } => {
            money::participate(serde_json::from_str(&config)?).await?;
            Ok(true)
        }
        Command::All(options) => run_all(faults().collect(), &options).await,
        Command::Run { names, options } => {
            let known = |name: &String| faults().find(|fault| fault.name == name);
            let unknown = |name: &String| format!("there is no fault {name:?}; `list` names them");
            let faults: Result<Vec<_>, _> = names
                .iter()
                .map(|name| known(name).ok_or_else(|| unknown(name)))
                .collect();
            run_all(faults?, &options).await
        }
    }
}

async fn run_all(faults: Vec<&Fault>, options: &Options) -> Result<bool, Error> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let amount = |fault: &Fault| match (fault.money, options.short) {
        (false, false) => (40_000, 6),
        (false, true) => (4_000, 2),
        // Of each kind of process so many are killed.
        (true, false) => (20_000, 5),
        (true, true) => (1_600, 1),
    };
    let program = std::env::current_exe()?;
    let plan_of = |fault: &Fault| {
        let (events, injections) = amount(fault);
        Plan {
            program: program.clone(),
            seed,
            events: options.events.unwrap_or(events),
            keys: options.keys,
            injections: options.injections.unwrap_or(injections),
            stall_timeout: Duration::from_secs(90),
            pace: options.pace,
            volatile_redis: options.volatile_redis,
        }
    };
    println!("seed {seed}");
    println!("{}", heading());
    let mut servers = Servers::start().await?;
    let (mut reports, mut left_out) = (Vec::new(), Vec::new());
    for fault in faults {
        match faults::run(fault, &plan_of(fault), &mut servers).await {
            Ok(report) => {
                println!("{}", row(&report));
                for problem in &report.problems {
                    println!("  {problem}");
                }
                reports.push(report);
                keep(&reports, options)?;
            }
            Err(error) => {
                println!("| {} | not run: {error} |", fault.name);
                left_out.push(fault.name);
            }
        }
    }
    summarize(&reports, &left_out, seed);
    Ok(left_out.is_empty() && reports.iter().all(Report::is_good))
}

/// After each fault, so that a run that is broken off leaves what it has.
fn keep(reports: &[Report], options: &Options) -> Result<(), Error> {
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(reports)?)?;
    }
    if let Some(path) = &options.document {
        let build = if cfg!(debug_assertions) {
            "debug build"
        } else {
            "release build"
        };
        write_document(path, reports, build)?;
    }
    Ok(())
}

fn summarize(reports: &[Report], left_out: &[&str], seed: u64) {
    let events: usize = reports.iter().map(|report| report.events).sum();
    let took: u64 = reports.iter().map(|report| report.took_ms).sum();
    let bad = reports.iter().filter(|report| !report.is_good());
    let bad: Vec<&str> = bad.map(|report| report.fault.as_str()).collect();
    println!(
        "\n{events} events under {} faults in {:?}, seed {seed}",
        reports.len(),
        Duration::from_millis(took)
    );
    if !left_out.is_empty() {
        println!("not run: {}", left_out.join(", "));
    }
    if bad.is_empty() {
        println!("every promise was kept");
    } else {
        println!("NOT as promised: {}", bad.join(", "));
        println!(
            "again: cargo run -p faults -- run {} --seed {seed}",
            bad.join(" ")
        );
    }
}
