use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{relay, worker, writer};
use crate::Error;
use crate::environment::{Names, Process, Servers};
use crate::run::Plan;
use crate::worker::exit_with_parent;

pub(super) const WRITERS: usize = 4;
const RELAYS: usize = 2;
const WORKERS: usize = 3;
/// A worker drains for ten seconds at the most.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// What a process that takes part is told, in JSON as its only argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ParticipantConfig {
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) postgres: String,
    pub(super) redis: String,
    pub(super) rabbit: String,
    pub(super) queue: String,
    pub(super) group: String,
    pub(super) accounts: u64,
    /// How many events may be staged and not applied.
    pub(super) backlog: i64,
    /// Gets a byte for each run of a handler.
    pub(super) runs: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Writer {
        number: i32,
        /// How many transfers it makes.
        transfers: i64,
        seed: u64,
    },
    Relay,
    Worker,
}

impl ParticipantConfig {
    pub(super) fn new(names: &Names, servers: &Servers, postgres: &str, accounts: u64) -> Self {
        Self {
            id: String::new(),
            role: Role::Relay,
            postgres: postgres.to_owned(),
            redis: servers.redis_address(),
            rabbit: servers.rabbit_address(),
            queue: names.queue.clone(),
            group: names.group.clone(),
            accounts,
            backlog: i64::MAX,
            runs: names.folder.join("runs"),
        }
    }
}

/// Does what it is told, until it is done, or its starter is gone.
///
/// # Errors
/// When a server is not there at the start, or refuses.
pub async fn participate(config: ParticipantConfig) -> Result<(), Error> {
    std::thread::spawn(exit_with_parent);
    match config.role {
        Role::Writer {
            number,
            transfers,
            seed,
        } => writer::run(&config, number, transfers, seed).await,
        Role::Relay => relay::run(&config).await,
        Role::Worker => worker::run(config).await,
    }
}

/// The processes.
pub(super) struct Participants {
    program: PathBuf,
    config: ParticipantConfig,
    slots: Vec<Slot>,
}

struct Slot {
    name: String,
    role: Role,
    generation: usize,
    process: Option<Process>,
    /// A writer that has made all its transfers.
    done: bool,
}

impl Participants {
    pub(super) fn new(plan: &Plan, config: ParticipantConfig, random: &mut fastrand::Rng) -> Self {
        let mut slots = Vec::new();
        let mut add = |name: String, role| {
            slots.push(Slot {
                name,
                role,
                generation: 0,
                process: None,
                done: false,
            });
        };
        for number in 0..WRITERS {
            // The first ones take what is left over.
            let transfers = (plan.events + WRITERS - 1 - number) / WRITERS;
            let role = Role::Writer {
                number: i32::try_from(number).unwrap_or_default(),
                transfers: i64::try_from(transfers).unwrap_or_default(),
                seed: random.u64(..),
            };
            add(format!("writer-{number}"), role);
        }
        (0..RELAYS).for_each(|number| add(format!("relay-{number}"), Role::Relay));
        (0..WORKERS).for_each(|number| add(format!("worker-{number}"), Role::Worker));
        Self {
            program: plan.program.clone(),
            config,
            slots,
        }
    }

    pub(super) fn start(&mut self) -> Result<(), Error> {
        (0..self.slots.len()).try_for_each(|place| self.start_slot(place))
    }

    fn start_slot(&mut self, place: usize) -> Result<(), Error> {
        let slot = &mut self.slots[place];
        slot.generation += 1;
        let mut config = self.config.clone();
        config.id = format!("{}-{}", slot.name, slot.generation);
        config.role = slot.role;
        let mut command = Command::new(&self.program);
        command
            .arg("participate")
            .arg(serde_json::to_string(&config)?);
        let folder = config
            .runs
            .parent()
            .ok_or("the file of the runs has no folder")?;
        slot.process = Some(Process::spawn(command, config.id, folder)?);
        Ok(())
    }

    /// kill -9 of one of this kind, and a new one. Of the writers only one that has not come to its end.
    pub(super) fn kill_one(
        &mut self,
        is_of: impl Fn(&Role) -> bool,
        random: &mut fastrand::Rng,
    ) -> Result<bool, Error> {
        self.look_after()?;
        let places: Vec<usize> = (0..self.slots.len())
            .filter(|place| is_of(&self.slots[*place].role) && !self.slots[*place].done)
            .collect();
        let Some(place) = random.choice(&places) else {
            return Ok(false);
        };
        if let Some(mut process) = self.slots[*place].process.take() {
            process.kill();
        }
        self.start_slot(*place)?;
        Ok(true)
    }

    /// Starts again what has ended by itself: one that found no server has a right to, as under any supervisor.
    pub(super) fn look_after(&mut self) -> Result<(), Error> {
        for place in 0..self.slots.len() {
            let slot = &mut self.slots[place];
            let Some(status) = slot
                .process
                .as_mut()
                .map(Process::ended)
                .transpose()?
                .flatten()
            else {
                continue;
            };
            slot.process = None;
            if matches!(slot.role, Role::Writer { .. }) && status.success() {
                slot.done = true;
            } else {
                self.start_slot(place)?;
            }
        }
        Ok(())
    }

    /// Stops all of them in order; what went wrong with it.
    pub(super) async fn stop(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for slot in &mut self.slots {
            if let Some(mut process) = slot.process.take() {
                match process.stop(STOP_TIMEOUT).await {
                    Ok(status) if status.success() || matches!(slot.role, Role::Writer { .. }) => {}
                    Ok(status) => problems.push(format!(
                        "{} ended with {status} when it was to stop",
                        process.name
                    )),
                    Err(error) => problems.push(error.to_string()),
                }
            }
        }
        problems
    }

    /// How often the handler ran, in all workers.
    pub(super) fn runs(&self) -> Result<usize, Error> {
        Ok(usize::try_from(
            std::fs::metadata(&self.config.runs)?.len(),
        )?)
    }
}
