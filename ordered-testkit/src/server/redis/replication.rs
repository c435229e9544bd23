use std::io;

use super::command::{ask, field};
use super::{RedisBuilder, RedisServer};
use crate::server::ServerError;

/// The setting, and the command of nearly the same name.
const REPLICA_OF: &str = "replicaof";

impl RedisBuilder {
    /// It is a replica of another server, and ready when it has that server's data.
    pub fn replica_of(self, master: &RedisServer) -> Self {
        self.setting(REPLICA_OF, format!("127.0.0.1 {}", master.port()))
            // Else a replica waits five seconds for others that might want the same data.
            .setting("repl-diskless-sync-delay", "0")
    }
}

impl RedisServer {
    /// Makes a replica a master, also for every later start.
    ///
    /// # Errors
    /// When it does not do so.
    pub async fn promote(&mut self) -> Result<(), ServerError> {
        self.settings.retain(|(name, _)| name != REPLICA_OF);
        self.obey("REPLICAOF NO ONE").await
    }

    /// Makes it a replica of another server, also for every later start. It keeps its clients.
    ///
    /// # Errors
    /// When it does not do so.
    pub async fn follow(&mut self, master: &Self) -> Result<(), ServerError> {
        self.settings.retain(|(name, _)| name != REPLICA_OF);
        let place = format!("127.0.0.1 {}", master.port());
        self.obey(&format!("REPLICAOF {place}")).await?;
        self.settings.push((REPLICA_OF.into(), place));
        Ok(())
    }

    /// Whether it is a replica that has all that the master has written by now.
    pub async fn is_in_step_with(&self, master: &Self) -> bool {
        let (Ok(ours), Ok(theirs)) = (
            self.info("replication").await,
            master.info("replication").await,
        ) else {
            return false;
        };
        let number = |info: &str, name: &str| field(info, name)?.parse::<u64>().ok();
        let port = field(&ours, "master_port").map(str::to_owned);
        let has = number(&ours, "slave_repl_offset");
        port == Some(master.port().to_string())
            && field(&ours, "master_link_status") == Some("up")
            && has.is_some()
            && has >= number(&theirs, "master_repl_offset")
    }

    /// What `INFO` says in a section.
    ///
    /// # Errors
    /// When it does not answer within two seconds.
    pub async fn info(&self, section: &str) -> io::Result<String> {
        ask(self.port(), &[&format!("INFO {section}")]).await
    }

    async fn obey(&self, command: &str) -> Result<(), ServerError> {
        let failed = |output: String| ServerError::Command {
            command: command.to_owned(),
            output,
        };
        let answer = ask(self.port(), &[command]).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        if answer.starts_with("+OK") {
            return Ok(());
        }
        Err(failed(answer))
    }
}
