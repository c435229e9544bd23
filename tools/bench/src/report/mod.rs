//! What was measured, for people and for programs.

mod chart;
mod machine;
mod spread;
mod table;
mod targets;

use std::fs;
use std::path::Path;

use serde::Serialize;

use self::machine::Machine;
pub(crate) use self::spread::Spread;
use self::targets::TargetResult;
use crate::Failure;
use crate::cli::Options;
use crate::load::Load;
use crate::runner::{RedisMemory, Trial};

/// Everything that a run has found out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    machine: Machine,
    servers: String,
    rounds: usize,
    seconds: f64,
    seed: u64,
    buckets: u32,
    pub(crate) trials: Vec<Trial>,
    pub(crate) redis_memory: Option<RedisMemory>,
    targets: Vec<TargetResult>,
}

impl Results {
    pub(crate) fn new(options: &Options, servers: String) -> Self {
        Self {
            machine: Machine::here(),
            servers,
            rounds: options.rounds(),
            seconds: options.seconds,
            seed: options.seed,
            buckets: options.buckets,
            trials: Vec::new(),
            redis_memory: None,
            targets: Vec::new(),
        }
    }

    /// Holds what was measured against what is aimed at.
    pub(crate) fn judge(&mut self, loads: &[Load]) {
        self.targets = targets::judge(self, loads);
    }

    fn of<'a>(&'a self, load: &'a str, variant: &'a str) -> impl Iterator<Item = &'a Trial> {
        self.trials
            .iter()
            .filter(move |trial| trial.load == load && trial.variant == variant)
    }

    /// A figure of all trials of one variant.
    pub(crate) fn spread(
        &self,
        load: &str,
        variant: &str,
        figure: impl Fn(&Trial) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.of(load, variant).filter_map(figure).collect())
    }

    /// A figure of one variant divided by another's of the same round.
    fn ratio(
        &self,
        load: &str,
        (one, other): (&str, &str),
        figure: impl Fn(&Trial) -> f64,
    ) -> Option<Spread> {
        let paired = self.of(load, one).filter_map(|trial| {
            let other = self
                .of(load, other)
                .find(|other| other.round == trial.round)?;
            Some(figure(trial) / figure(other))
        });
        Spread::of(paired.collect())
    }
}

/// One line while the run goes on.
pub(crate) fn progress(trial: &Trial) {
    let latency = trial.latency.map_or_else(String::new, |latency| {
        format!(
            ", median {}, p99 {}",
            table::millis(latency.median),
            table::millis(latency.p99)
        )
    });
    eprintln!(
        "  round {} {:<14} {:>8.0}/s in {:.2} s, {:.1} + {:.1} + {:.1} µs of CPU{latency}",
        trial.round + 1,
        trial.variant,
        trial.rate,
        trial.seconds,
        trial.processor,
        trial.redis.processor,
        trial.broker_processor
    );
}

/// The table to the terminal, the figures and charts to their files.
pub(crate) fn write(options: &Options, loads: &[Load], results: &Results) -> Result<(), Failure> {
    println!("{}", table::table(loads, results));
    if let Some(folder) = options.json.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&options.json, serde_json::to_string_pretty(results)?)?;
    fs::create_dir_all(&options.out)?;
    for load in loads {
        if let Some(chart) = chart::of_load(load, results) {
            fs::write(options.out.join(format!("{}.svg", load.name)), chart)?;
        }
    }
    if let Some(chart) = chart::of_all(loads, results) {
        fs::write(options.out.join("throughput.svg"), chart)?;
    }
    say(&options.json, &options.out);
    Ok(())
}

fn say(json: &Path, out: &Path) {
    eprintln!("figures in {}, charts in {}", json.display(), out.display());
}
