use std::path::PathBuf;
use std::sync::Mutex as SyncMutex;
use std::time::Duration;

use ordered_testkit::history::What;
use ordered_testkit::proxy::Proxy;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep;

use super::process::{Process, WallClock};
use super::servers::{rabbit_url, redis_url};
use super::{Names, Servers, Tail};
use crate::Error;
use crate::fault::{Broker, Fault};
use crate::journal::Journal;
use crate::worker::{Pace, WorkerConfig};

pub(crate) const WORKERS: usize = 3;
/// A worker drains for ten seconds at the most, and says goodbye.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// What the workers' clocks are moved by, where they are.
const OFFSETS: [&str; WORKERS] = ["+5h", "-7h", "+0"];

/// The worker processes. Whoever holds a slot does something to it; one that has ended by itself is started again.
pub(crate) struct Fleet {
    slots: Vec<Mutex<Slot>>,
    /// For a worker that joins for a while; at a time for one.
    spare: Mutex<Slot>,
    joining: Mutex<()>,
    /// Workers that ended although nobody had done anything to them.
    pub(crate) deaths: SyncMutex<Vec<String>>,
}

/// The place of one worker.
pub(crate) struct Slot {
    number: usize,
    generation: usize,
    program: PathBuf,
    folder: PathBuf,
    /// What a worker here is told, but for its name.
    config: WorkerConfig,
    clock: Option<WallClock>,
    journal: Journal,
    process: Option<Process>,
    pub(crate) redis: Option<Proxy>,
    pub(crate) rabbit: Option<Proxy>,
}

impl Fleet {
    pub(crate) async fn new(
        program: &std::path::Path,
        fault: &Fault,
        (seed, pace): (u64, Pace),
        names: &Names,
        servers: &Servers,
        journal: &Journal,
    ) -> Result<Self, Error> {
        let library = if fault.clocks {
            let missing = "libfaketime is not installed (apt-get install libfaketime)";
            Some(WallClock::library().ok_or(missing)?)
        } else {
            None
        };
        let network = fault
            .injections
            .iter()
            .any(|injection| injection.needs_proxy());
        let mut slots = Vec::new();
        for number in 0..=WORKERS {
            let (mut redis, mut rabbit) = (None, None);
            if network {
                redis = Some(Proxy::start(servers.redis_port()).await?);
                rabbit = Some(Proxy::start(servers.rabbit_port()).await?);
            }
            let port = |proxy: &Option<Proxy>, server| proxy.as_ref().map_or(server, Proxy::port);
            let mut handler_faults = fault.handler_faults;
            handler_faults.seed = seed;
            let config = WorkerConfig {
                id: String::new(),
                redis: redis_url(port(&redis, servers.redis_port())),
                transport: match fault.broker {
                    Broker::Rabbit => rabbit_url(port(&rabbit, servers.rabbit_port())),
                    Broker::Kafka => servers.transport(Broker::Kafka).await?,
                },
                queue: names.queue.clone(),
                partitions: fault.partitions,
                group: names.group.clone(),
                journal: names.history(),
                handler_faults,
                sequencing: fault.sequencing,
                pace,
            };
            let clock = library.clone().map(|library| WallClock {
                library,
                offset: OFFSETS[number % WORKERS].to_owned(),
            });
            slots.push(Mutex::new(Slot {
                number,
                generation: 0,
                program: program.to_owned(),
                folder: names.folder.clone(),
                config,
                clock,
                journal: journal.clone(),
                process: None,
                redis,
                rabbit,
            }));
        }
        let spare = slots.pop().ok_or("there are no workers")?;
        Ok(Self {
            slots,
            spare,
            joining: Mutex::default(),
            deaths: SyncMutex::default(),
        })
    }

    pub(crate) async fn start(&self) -> Result<(), Error> {
        for slot in &self.slots {
            slot.lock().await.start()?;
        }
        Ok(())
    }

    /// Each of them in turn, and the one that is not always there.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &Mutex<Slot>> {
        self.slots.iter().chain([&self.spare])
    }

    /// Another worker joins, and leaves after a while.
    pub(crate) async fn join(
        &self,
        tail: &Tail,
        a_while: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let _alone = self.joining.lock().await;
        self.spare.lock().await.start()?;
        // Meanwhile it is supervised as the others.
        a_while.await;
        self.spare.lock().await.stop(tail).await
    }

    /// A slot that nobody else is at, of those that the dice name.
    pub(crate) async fn pick(&self, random: &mut fastrand::Rng) -> MutexGuard<'_, Slot> {
        let first = random.usize(0..self.slots.len());
        for step in 0..self.slots.len() {
            if let Ok(slot) = self.slots[(first + step) % self.slots.len()].try_lock() {
                return slot;
            }
        }
        self.slots[first].lock().await
    }

    /// One or all of them.
    pub(crate) async fn pick_some(&self, random: &mut fastrand::Rng) -> Vec<MutexGuard<'_, Slot>> {
        if random.bool() {
            return vec![self.pick(random).await];
        }
        let mut all = Vec::new();
        for slot in &self.slots {
            // In their order, so that two who want all do not wait for each other.
            all.push(slot.lock().await);
        }
        all
    }

    /// Starts again what has ended by itself, for as long as it is polled.
    pub(crate) async fn supervise(&self, tail: &Tail) -> Result<(), Error> {
        loop {
            for slot in self.in_turn() {
                if let Ok(mut slot) = slot.try_lock()
                    && let Some(death) = slot.look()?
                {
                    // One that found no server at its start has a right to end, as under any supervisor.
                    if tail.was_leased(&death.0)
                        && let Ok(mut deaths) = self.deaths.lock()
                    {
                        deaths.push(format!("{} ended with {}", death.0, death.1));
                    }
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops all of them in order.
    pub(crate) async fn stop(&self, tail: &Tail) -> Result<Vec<String>, Error> {
        let mut slots = Vec::new();
        for slot in self.in_turn() {
            slots.push(slot.lock().await);
        }
        let mut problems = Vec::new();
        for slot in &mut slots {
            problems.extend(slot.stop(tail).await.err().map(|error| error.to_string()));
        }
        Ok(problems)
    }

    /// By how many hours the clocks of the first workers differ, as they said themselves.
    pub(crate) async fn hours_apart(&self) -> u64 {
        let mut walls = Vec::new();
        for slot in &self.slots {
            let slot = slot.lock().await;
            let said = slot.folder.join(format!("w{}-1.out", slot.number));
            let said = std::fs::read_to_string(said).unwrap_or_default();
            let wall = said
                .strip_prefix("wall ")
                .and_then(|rest| rest.trim().parse::<u64>().ok());
            walls.extend(wall);
        }
        let most = walls.iter().max().zip(walls.iter().min());
        most.map_or(0, |(most, least)| (most - least) / 3_600_000)
    }
}

impl Slot {
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        self.generation += 1;
        self.config.id = format!("w{}-{}", self.number, self.generation);
        let clock = self.clock.as_ref();
        let process = Process::start(&self.program, &self.config, &self.folder, clock)?;
        self.process = Some(process);
        Ok(())
    }

    /// Whether its worker has ended by itself: its name and how. It is started again.
    fn look(&mut self) -> Result<Option<(String, String)>, Error> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let Some(status) = process.ended()? else {
            return Ok(None);
        };
        let name = process.name.clone();
        self.gone(&name);
        self.start()?;
        Ok(Some((name, status.to_string())))
    }

    /// kill -9, and a new one.
    pub(crate) fn kill_and_start(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.kill();
            self.gone(&process.name);
        }
        self.start()
    }

    /// Whether a worker is there.
    pub(crate) fn is_taken(&self) -> bool {
        self.process.is_some()
    }

    /// With how many partitions its next worker consumes.
    pub(crate) fn set_partitions(&mut self, partitions: u16) {
        self.config.partitions = partitions;
    }

    /// SIGTERM, and wait for the end. One that has not got as far as a lease may end as it likes.
    pub(crate) async fn stop(&mut self, tail: &Tail) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let status = process.stop(STOP_TIMEOUT).await;
        self.gone(&process.name);
        match status? {
            status if status.success() || !tail.was_leased(&process.name) => Ok(()),
            status => {
                Err(format!("{} ended with {status} when it was to stop", process.name).into())
            }
        }
    }

    pub(crate) fn freeze(&self, frozen: bool) {
        use rustix::process::Signal;
        if let Some(process) = &self.process {
            process.signal(if frozen { Signal::STOP } else { Signal::CONT });
        }
    }

    fn gone(&self, worker: &str) {
        self.journal.write(What::Gone {
            worker: worker.to_owned(),
        });
    }
}
