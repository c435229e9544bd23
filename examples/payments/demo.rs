//! Starts everything, kills a part of it again and again, and counts the money in the end.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ordered_testkit::server::{PostgresServer, RabbitServer, RedisServer};
use ordered_testkit::unique;
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::child::Process;
use crate::output::{Output, money};
use crate::{Servers, bank};

#[derive(clap::Args)]
pub(crate) struct Load {
    /// How many transfers.
    #[arg(long, default_value_t = 3_000)]
    transfers: i64,
    /// Between how many accounts.
    #[arg(long, default_value_t = 20)]
    accounts: u64,
}

/// How long nothing may happen before the demonstration gives up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is done while money is under way, in this order, evenly spread.
const STEPS: [Step; 5] = [
    Step::KillWorker,
    Step::KillRelay,
    Step::FlushRedis,
    Step::KillService,
    Step::KillWorker,
];

#[derive(Clone, Copy)]
enum Step {
    KillWorker,
    KillRelay,
    KillService,
    FlushRedis,
}

pub(crate) async fn run(servers: Servers, demo: bool, load: &Load) -> Result<(), Box<dyn Error>> {
    let output = Output::begin();
    let (servers, _private) = if demo {
        let (servers, private) = private_servers().await?;
        output.print("Postgres, RabbitMQ and Redis run, private to this demonstration.");
        (servers, Some(private))
    } else {
        (servers, None)
    };
    let mut client = bank::connect(&servers.postgres).await?;
    bank::open(&mut client, load.accounts).await?;
    let before = bank::cents(&client).await?;
    output.print(format!(
        "{} accounts with {} each: {} together.",
        load.accounts,
        money(bank::CENTS),
        money(before)
    ));
    let folder = std::env::temp_dir().join(unique("payments"));
    fs::create_dir_all(&folder)?;
    let mut processes = Processes::start(servers, load, &folder)?;
    output.print(
        "A service debits accounts and stages an event for each debit, in one transaction.\n\
         Two relays publish the events, three workers credit the accounts that the events name.",
    );
    let outcome = run_steps(&mut processes, &client, &output, load, demo).await;
    if let Err(error) = outcome {
        let folder = folder.display();
        return Err(format!("{error} (what the processes said is in {folder})").into());
    }
    let runs = fs::metadata(processes.runs())?.len();
    drop(processes);
    print_result(&client, &output, before, i64::try_from(runs)?).await?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// From the first transfer to the last credit.
async fn run_steps(
    processes: &mut Processes<'_>,
    client: &Client,
    output: &Output,
    load: &Load,
    demo: bool,
) -> Result<(), Box<dyn Error>> {
    let spread = i64::try_from(STEPS.len())? + 1;
    for (number, step) in (1..).zip(STEPS) {
        let due = load.transfers * number / spread;
        until(processes, "transfers do not go on", async || {
            // So that something is under way when it is struck.
            Ok(bank::transfers(client).await? >= due && bank::credits(client).await? >= due / 2)
        })
        .await?;
        let (transfers, credits) = (bank::transfers(client).await?, bank::credits(client).await?);
        let at = format!(
            "{transfers} transfers, {} of them under way.",
            (transfers - credits).max(0)
        );
        match step {
            Step::KillWorker => {
                processes.replace_worker()?;
                output.print(format!(
                    "{at} A worker is killed (kill -9), and another one is started.\n\
                     What it had not committed, Postgres rolls back; its accounts go on elsewhere after its lease of 2 \
                     s."
                ));
            }
            Step::KillRelay => {
                processes.replace_relay()?;
                output.print(format!(
                    "{at} A relay is killed, and another one is started.\n\
                     What it had published and not marked is published again: the workers know the ids."
                ));
            }
            Step::KillService => {
                processes.replace_service()?;
                output.print(format!(
                    "{at} The service is killed, and started again.\n\
                     Of a transfer that it had not committed neither the debit nor the event exists."
                ));
            }
            Step::FlushRedis if demo => {
                flush(&processes.servers.redis).await?;
                let accounts = bank::ask_for_the_rest(client, &processes.servers.queue).await?;
                output.print(format!(
                    "{at} Redis is flushed: it has forgotten how far every account is, and the events that waited \
                     there.\n\
                     The workers read the positions from Postgres. The outbox is asked for what is not applied yet, of \
                     {accounts}\n\
                     accounts, as `ordered outbox resend` does."
                ));
            }
            Step::FlushRedis => {
                output.print(format!(
                    "{at} Redis is yours, and is not flushed: see `--demo`."
                ));
            }
        }
    }
    until(
        processes,
        "transfers do not come to their end",
        async || Ok(bank::transfers(client).await? >= load.transfers),
    )
    .await?;
    processes.until_the_service_has_ended().await?;
    output.print("The service is done. The rest is on its way to the workers.");
    until(processes, "credits do not come to their end", async || {
        Ok(bank::credits(client).await? >= bank::transfers(client).await?)
    })
    .await
}

/// Waits for this, and starts again what has ended by itself meanwhile.
async fn until(
    processes: &mut Processes<'_>,
    or_else: &str,
    mut done: impl AsyncFnMut() -> Result<bool, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    while !done().await? {
        if begun.elapsed() > TIMEOUT {
            return Err(format!("{or_else} within {TIMEOUT:?}").into());
        }
        processes.look_after()?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Counts the money, and looks whether every account was credited in order and once.
async fn print_result(
    client: &Client,
    output: &Output,
    before: i64,
    runs: i64,
) -> Result<(), Box<dyn Error>> {
    let (transfers, credits) = (bank::transfers(client).await?, bank::credits(client).await?);
    let after = bank::cents(client).await?;
    let wrong: Vec<String> = bank::orders(client)
        .await?
        .into_iter()
        .filter(|(_, (seqs, staged))| !seqs.iter().copied().eq(1..=*staged))
        .map(|(account, _)| account)
        .collect();
    if !wrong.is_empty() || transfers != credits || before != after {
        let text = format!(
            "WRONG: {transfers} transfers and {credits} credits; {} before and {} after; not in order or not once: {}",
            money(before),
            money(after),
            wrong.join(", ")
        );
        return Err(text.into());
    }
    output.print(format!(
        "{transfers} transfers, {credits} credits: each account was credited in order, and once for each event.\n\
         {} before, {} after: equal to the cent.\n\
         The handler ran {runs} times: {} runs came again, and Postgres undid what they did.\n\
         {} events were published again because the outbox was asked for them.",
        money(before),
        money(after),
        runs - credits,
        bank::resent(client).await?
    ));
    Ok(())
}

/// The processes that take part.
struct Processes<'a> {
    servers: Servers,
    load: &'a Load,
    folder: &'a Path,
    service: Process,
    relays: Vec<Process>,
    workers: Vec<Process>,
}

impl<'a> Processes<'a> {
    fn start(servers: Servers, load: &'a Load, folder: &'a Path) -> Result<Self, Box<dyn Error>> {
        let mut processes = Self {
            service: service(&servers, load, folder)?,
            servers,
            load,
            folder,
            relays: Vec::new(),
            workers: Vec::new(),
        };
        for _ in 0..2 {
            processes.relays.push(processes.relay()?);
        }
        for _ in 0..3 {
            processes.workers.push(processes.worker()?);
        }
        Ok(processes)
    }

    /// Where the runs of the handlers are counted.
    fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    fn relay(&self) -> Result<Process, Box<dyn Error>> {
        let log = self.folder.join("relays.log");
        Ok(Process::start(&self.servers, &["relay"], &log)?)
    }

    fn worker(&self) -> Result<Process, Box<dyn Error>> {
        let runs = self.runs();
        let runs = runs.to_str().ok_or("the folder's name is no text")?;
        let role = ["worker", "--runs", runs];
        Ok(Process::start(
            &self.servers,
            &role,
            &self.folder.join("workers.log"),
        )?)
    }

    fn replace_worker(&mut self) -> Result<(), Box<dyn Error>> {
        self.workers.remove(0).kill()?;
        self.workers.push(self.worker()?);
        Ok(())
    }

    fn replace_relay(&mut self) -> Result<(), Box<dyn Error>> {
        self.relays.remove(0).kill()?;
        self.relays.push(self.relay()?);
        Ok(())
    }

    fn replace_service(&mut self) -> Result<(), Box<dyn Error>> {
        let next = service(&self.servers, self.load, self.folder)?;
        std::mem::replace(&mut self.service, next).kill()?;
        Ok(())
    }

    async fn until_the_service_has_ended(&mut self) -> Result<(), Box<dyn Error>> {
        let begun = Instant::now();
        while self.service.ended()?.is_none() {
            if begun.elapsed() > TIMEOUT {
                return Err("the service does not come to its end".into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Starts again what has ended with an error, as a supervisor does: a service whose transaction met a deadlock, or
    /// a worker that found no server.
    fn look_after(&mut self) -> Result<(), Box<dyn Error>> {
        if self
            .service
            .ended()?
            .is_some_and(|status| !status.success())
        {
            self.service = service(&self.servers, self.load, self.folder)?;
        }
        for number in 0..self.relays.len() {
            if self.relays[number].ended()?.is_some() {
                self.relays[number] = self.relay()?;
            }
        }
        for number in 0..self.workers.len() {
            if self.workers[number].ended()?.is_some() {
                self.workers[number] = self.worker()?;
            }
        }
        Ok(())
    }
}

fn service(servers: &Servers, load: &Load, folder: &Path) -> Result<Process, Box<dyn Error>> {
    let (transfers, accounts) = (load.transfers.to_string(), load.accounts.to_string());
    let role = [
        "service",
        "--transfers",
        &transfers,
        "--accounts",
        &accounts,
    ];
    Ok(Process::start(servers, &role, &folder.join("service.log"))?)
}

/// What ends with the demonstration.
struct Private {
    _postgres: PostgresServer,
    _rabbit: RabbitServer,
    _redis: RedisServer,
}

async fn private_servers() -> Result<(Servers, Private), Box<dyn Error>> {
    let (postgres, rabbit, redis) = tokio::try_join!(
        PostgresServer::start(),
        RabbitServer::start(),
        RedisServer::start()
    )?;
    let servers = Servers {
        postgres: postgres.database().await?,
        rabbit: rabbit.url(),
        redis: redis.url(),
        queue: "payments".into(),
    };
    let private = Private {
        _postgres: postgres,
        _rabbit: rabbit,
        _redis: redis,
    };
    Ok((servers, private))
}

/// Forgets everything.
async fn flush(redis: &str) -> Result<(), Box<dyn Error>> {
    let client = redis::Client::open(redis)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("FLUSHALL").exec_async(&mut connection).await?;
    Ok(())
}
