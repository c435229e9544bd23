//! Money that is moved from account to account through the outbox and the inbox, while everything that takes part dies
//! in turn: writers, relays and workers by kill -9, Postgres, RabbitMQ and Redis, which also loses everything once.

mod bank;
mod injections;
mod participants;
mod relay;
mod worker;
mod writer;

use std::time::Duration;

use ordered_testkit::history::Rules;
use ordered_testkit::server::PostgresServer;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::environment::{Names, Servers, Tail};
use crate::fault::Fault;
use crate::report::{Observations, Report};
use crate::run::Plan;
use crate::schedule::Injected;
use bank::Bank;
use participants::Participants;
pub use participants::{ParticipantConfig, participate};

/// One in so many of all transfers may be staged and not applied: more are not staged meanwhile, so that injections
/// meet what is under way, and writers too.
const BACKLOG: usize = 20;
/// So many at the least.
const LEAST_BACKLOG: usize = 50;

/// Everything that takes part.
struct MoneyEnvironment<'a> {
    servers: &'a Servers,
    postgres: Mutex<PostgresServer>,
    bank: Bank,
    participants: Mutex<Participants>,
    transfers: i64,
}

/// Runs it: `plan.events` transfers between `plan.keys` accounts, and `plan.injections` kills of each kind of process.
///
/// # Errors
/// When the suite itself could not do what it should; what the product did wrong is in the report.
pub(crate) async fn run(
    fault: &Fault,
    plan: &Plan,
    servers: &mut Servers,
) -> Result<Report, Error> {
    servers.reset_redis(None, plan.volatile_redis).await?;
    let names = Names::new(fault.name)?;
    let postgres = PostgresServer::start().await?;
    let url = postgres.database().await?;
    let accounts = u64::try_from(plan.keys)?;
    let bank = Bank::open(&url, &names.group, accounts).await?;
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut config = ParticipantConfig::new(&names, servers, &url, accounts);
    config.backlog = i64::try_from((plan.events / BACKLOG).max(LEAST_BACKLOG))?;
    let participants = Participants::new(plan, config, &mut random);
    let environment = MoneyEnvironment {
        servers,
        postgres: Mutex::new(postgres),
        bank,
        participants: Mutex::new(participants),
        transfers: i64::try_from(plan.events)?,
    };
    let mut observations = Observations::new(plan);
    let begun = Instant::now();
    match environment.run_events(plan, random).await {
        Ok(injected) => observations.injected = injected,
        Err(error) => {
            observations.problems.push(error.to_string());
            // An injection that was broken off has left something lying.
            environment.servers.restart_all().await?;
            environment.postgres.lock().await.start_again().await?;
            observations.problems.extend(
                environment
                    .bank
                    .behind(&environment.servers.redis_address())
                    .await?,
            );
        }
    }
    observations.took = begun.elapsed();
    let runs = {
        let mut participants = environment.participants.lock().await;
        observations.problems.extend(participants.stop().await);
        participants.runs()?
    };
    observations.problems.extend(environment.bank.sums().await?);
    let redis = environment.servers.redis_address();
    let applied = environment
        .bank
        .write_history(&names.history(), &redis)
        .await?;
    observations.delivered = applied.staged;
    observations.run_again = runs.saturating_sub(applied.applied);
    let tail = Tail::open(&names.history())?;
    tail.catch_up()?;
    let report = Report::new(fault, observations, &tail, Rules::default());
    if report.is_good() {
        std::fs::remove_dir_all(&names.folder)?;
    } else {
        eprintln!("what happened is kept in {}", names.folder.display());
    }
    environment.servers.delete_queues(&[names.queue]).await?;
    Ok(report)
}

impl MoneyEnvironment<'_> {
    /// From the first transfer to the last credit.
    async fn run_events(&self, plan: &Plan, random: fastrand::Rng) -> Result<Injected, Error> {
        self.participants.lock().await.start()?;
        let acting = async {
            let injected = injections::all(self, plan.injections, random).await?;
            self.wait_for_the_end().await?;
            Ok::<_, Error>(injected)
        };
        tokio::select! {
            injected = acting => injected,
            failed = self.supervise() => Err(failed.err().unwrap_or_else(|| "the supervision ended".into())),
            stalled = self.stalled(plan.stall_timeout) => Err(stalled),
        }
    }

    /// Starts again what has ended by itself, for as long as it is polled.
    async fn supervise(&self) -> Result<(), Error> {
        loop {
            self.participants.lock().await.look_after()?;
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Until every writer has done its share, and every event is applied.
    async fn wait_for_the_end(&self) -> Result<(), Error> {
        loop {
            // Without an answer Postgres is not there at the moment.
            let progress = self.bank.progress().await.unwrap_or_default();
            if progress.transfers >= self.transfers
                && self.bank.is_at_the_end().await.unwrap_or(false)
            {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends when nothing was applied and nothing was written for so long.
    async fn stalled(&self, stall_timeout: Duration) -> Error {
        let (mut last, mut since) = ((0, 0), Instant::now());
        while since.elapsed() < stall_timeout {
            let progress = self.bank.progress().await.unwrap_or_default();
            let now = (progress.applied, progress.transfers);
            if now > last {
                (last, since) = (now, Instant::now());
            }
            sleep(Duration::from_millis(200)).await;
        }
        let (applied, transfers) = last;
        format!("no progress for {stall_timeout:?}: {transfers} transfers, {applied} applied")
            .into()
    }
}
