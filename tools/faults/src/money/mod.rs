//! Money that is moved from account to account through the outbox and the inbox, while everything that takes part dies
//! in turn: writers, relays and workers by kill -9, Postgres, RabbitMQ and Redis, which also loses everything once.

mod bank;
mod parts;
mod relay;
mod strikes;
mod worker;
mod writer;

use std::time::Duration;

use ordered_testkit::history::Rules;
use ordered_testkit::server::PostgresServer;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::fault::Fault;
use crate::report::{Facts, Report};
use crate::run::Plan;
use crate::schedule::Fallen;
use crate::stage::{Names, Servers, Tail};
use bank::Bank;
use parts::Parts;
pub use parts::{Orders, take_part};

/// One in so many of all transfers may be staged and not applied: more are not staged meanwhile, so that blows meet
/// what is under way, and writers too.
const BACKLOG: usize = 20;
/// So many at the least.
const LEAST_BACKLOG: usize = 50;

/// Everything that takes part.
struct World<'a> {
    servers: &'a Servers,
    postgres: Mutex<PostgresServer>,
    bank: Bank,
    parts: Mutex<Parts>,
    transfers: i64,
}

/// Runs it: `plan.events` transfers between `plan.keys` accounts, and `plan.blows` kills of each kind of process.
///
/// # Errors
/// When the suite itself could not do what it should; what the product did wrong is in the report.
pub(crate) async fn run(
    fault: &Fault,
    plan: &Plan,
    servers: &mut Servers,
) -> Result<Report, Error> {
    servers.renew_redis(None, plan.careless).await?;
    let names = Names::new(fault.name)?;
    let postgres = PostgresServer::start().await?;
    let url = postgres.database().await?;
    let accounts = u64::try_from(plan.keys)?;
    let bank = Bank::open(&url, &names.group, accounts).await?;
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut orders = Orders::new(&names, servers, &url, accounts);
    orders.backlog = i64::try_from((plan.events / BACKLOG).max(LEAST_BACKLOG))?;
    let parts = Parts::new(plan, orders, &mut random);
    let world = World {
        servers,
        postgres: Mutex::new(postgres),
        bank,
        parts: Mutex::new(parts),
        transfers: i64::try_from(plan.events)?,
    };
    let mut facts = Facts::new(plan);
    let begun = Instant::now();
    match world.unfold(plan, random).await {
        Ok(fallen) => facts.fallen = fallen,
        Err(error) => {
            facts.problems.push(error.to_string());
            // A blow that was broken off has left something lying.
            world.servers.revive().await?;
            world.postgres.lock().await.start_again().await?;
            facts
                .problems
                .extend(world.bank.behind(&world.servers.redis_address()).await?);
        }
    }
    facts.took = begun.elapsed();
    let runs = {
        let mut parts = world.parts.lock().await;
        facts.problems.extend(parts.stop().await);
        parts.runs()?
    };
    facts.problems.extend(world.bank.sums().await?);
    let redis = world.servers.redis_address();
    let applied = world.bank.write_history(&names.history(), &redis).await?;
    facts.delivered = applied.staged;
    facts.run_again = runs.saturating_sub(applied.applied);
    let tail = Tail::open(&names.history())?;
    tail.catch_up()?;
    let report = Report::new(fault, facts, &tail, Rules::default());
    if report.is_good() {
        std::fs::remove_dir_all(&names.folder)?;
    } else {
        eprintln!("what happened is kept in {}", names.folder.display());
    }
    world.servers.delete_queues(&[names.queue]).await?;
    Ok(report)
}

impl World<'_> {
    /// From the first transfer to the last credit.
    async fn unfold(&self, plan: &Plan, random: fastrand::Rng) -> Result<Fallen, Error> {
        self.parts.lock().await.start()?;
        let acting = async {
            let fallen = strikes::all(self, plan.blows, random).await?;
            self.wait_for_the_end().await?;
            Ok::<_, Error>(fallen)
        };
        tokio::select! {
            fallen = acting => fallen,
            failed = self.supervise() => Err(failed.err().unwrap_or_else(|| "the supervision ended".into())),
            stalled = self.stalled(plan.patience) => Err(stalled),
        }
    }

    /// Starts again what has ended by itself, for as long as it is polled.
    async fn supervise(&self) -> Result<(), Error> {
        loop {
            self.parts.lock().await.look_after()?;
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
    async fn stalled(&self, patience: Duration) -> Error {
        let (mut last, mut since) = ((0, 0), Instant::now());
        while since.elapsed() < patience {
            let progress = self.bank.progress().await.unwrap_or_default();
            let now = (progress.applied, progress.transfers);
            if now > last {
                (last, since) = (now, Instant::now());
            }
            sleep(Duration::from_millis(200)).await;
        }
        let (applied, transfers) = last;
        format!("no progress for {patience:?}: {transfers} transfers, {applied} applied").into()
    }
}
