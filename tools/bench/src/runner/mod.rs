//! Starts the servers, lets the subjects run in turn, and writes down what it saw.

mod feed;
mod memory;
mod proxy;
mod redis_cost;
mod servers;
mod trial;

use std::time::Duration;

use self::servers::Servers;
use self::trial::Trials;
use crate::Failure;
use crate::cli::Options;
use crate::load::{self, Load, Pace};
use crate::report::{self, Results};

pub(crate) use memory::RedisMemory;
pub(crate) use trial::Trial;

/// The name of the load that fills Redis with keys and ids.
pub(crate) const REDIS_MEMORY: &str = "redis-memory";

/// A whole run.
pub(crate) async fn hold(options: Options) -> Result<(), Failure> {
    let mut loads = load::chosen(&options.only);
    if options.earlier.is_some() {
        loads = loads.into_iter().map(Load::with_earlier).collect();
    }
    let memory = options.only.is_empty() || options.only.iter().any(|name| name == REDIS_MEMORY);
    if let Some(unknown) = options.only.iter().find(|name| !is_known(name)) {
        return Err(format!("there is no load {unknown:?}; `bench --list` shows them").into());
    }
    if options.list {
        list(&loads, memory);
        return Ok(());
    }
    eprintln!("starting RabbitMQ and Redis");
    let servers = Servers::start().await?;
    let mut results = Results::new(&options, servers.versions().await?);
    let mut trials = Trials::new(&servers, &options)?;
    for load in &loads {
        eprintln!("{}: {}", load.name, load.about);
        let Some(rate) = rate_of(load, options.rate, &mut trials, &results).await? else {
            continue;
        };
        for round in 0..options.rounds() {
            for variant in &load.variants {
                let trial = trials.run(load, variant, round, rate).await?;
                report::progress(&trial);
                results.trials.push(trial);
            }
        }
    }
    if memory {
        eprintln!("{REDIS_MEMORY}: keys at rest and remembered ids in Redis");
        results.redis_memory = Some(memory::measure(&servers, options.quick).await?);
    }
    results.judge(&loads);
    report::write(&options, &loads, &results)
}

fn is_known(name: &str) -> bool {
    name == REDIS_MEMORY || load::all().iter().any(|load| load.name == name)
}

fn list(loads: &[Load], memory: bool) {
    for load in loads {
        let labels: Vec<_> = load.variants.iter().map(|variant| variant.label).collect();
        println!("{:<16} {} [{}]", load.name, load.about, labels.join(", "));
    }
    if memory {
        println!("{REDIS_MEMORY:<16} a million keys at rest, and a million remembered ids");
    }
}

/// How many events a second a trial is planned with. Where it is a share of what the framework can take, that is
/// measured in this very run, if it was not yet.
async fn rate_of(
    load: &Load,
    asked: Option<f64>,
    trials: &mut Trials<'_>,
    results: &Results,
) -> Result<Option<f64>, Failure> {
    let Pace::Share(share) = load.pace else {
        return Ok(Some(load.rate()));
    };
    if asked.is_some() {
        return Ok(asked);
    }
    let known = results.spread("in-order", "ordered", |trial| Some(trial.rate));
    let full = match known {
        Some(spread) => spread.median,
        None => {
            let (Some(base), Some(variant)) = (
                load::all().into_iter().next(),
                load.variants
                    .iter()
                    .find(|variant| variant.label == "ordered"),
            ) else {
                return Ok(None);
            };
            trials.run(&base, variant, 0, base.rate()).await?.rate
        }
    };
    Ok(Some(full * share))
}

/// How long nothing may happen.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
