//! What all clones of a store share, and how scripts are run.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use ordered_core::clock::Clock;
use ordered_core::store::{Group, StoreError};
use redis::{Cmd, RedisError, RedisResult, Value};

use super::{RedisStore, sweeping};
use crate::error::{is_no_script, store_error};
use crate::link::Link;
use crate::names::Names;
use crate::script::{ALL, Call, Operation};

pub(super) struct Shared {
    pub(super) link: Link,
    /// Host and port, without what must not be shown.
    pub(super) address: String,
    pub(super) names: Names,
    pub(super) buckets: u32,
    pub(super) strict: bool,
    pub(super) clock: Option<Clock>,
    // A std mutex: held for a lookup, and never over an await.
    pub(super) cursors: Mutex<HashMap<String, sweeping::Cursors>>,
}

impl RedisStore {
    pub(super) fn buckets(&self) -> u32 {
        self.shared.buckets
    }

    /// The time that a test brings; 0 is the server's own.
    pub(super) fn given_time(&self) -> u64 {
        self.shared.clock.as_ref().map_or(0, Clock::now)
    }

    pub(super) fn call(
        &self,
        operation: &'static Operation,
        group: &Group,
        bucket: u32,
        arguments: Vec<Bytes>,
    ) -> Call {
        Call {
            operation,
            tag: self.shared.names.bucket(group, bucket),
            arguments,
        }
    }

    pub(super) fn error(&self, error: RedisError) -> StoreError {
        store_error(&self.shared.address, error)
    }

    pub(super) async fn send(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        self.shared
            .link
            .send(commands)
            .await
            .map_err(|error| self.error(error))
    }

    /// Runs the scripts, all at once. A server that was restarted, or told to forget its scripts, is given them again.
    pub(super) async fn try_run(
        &self,
        calls: &[Call],
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = self.send(calls.iter().map(Call::command).collect()).await?;
        let unknown: Vec<usize> = (0..calls.len())
            .filter(|place| answers[*place].as_ref().is_err_and(is_no_script))
            .collect();
        if !unknown.is_empty() {
            self.load().await?;
            let again = unknown.iter().map(|place| calls[*place].command());
            let repeated = self.send(again.collect()).await?;
            for (place, answer) in unknown.into_iter().zip(repeated) {
                answers[place] = answer;
            }
        }
        Ok(answers)
    }

    pub(super) async fn run(&self, calls: &[Call]) -> Result<Vec<Value>, StoreError> {
        let answers = self.try_run(calls).await?;
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }

    pub(super) async fn load(&self) -> Result<(), StoreError> {
        let loads = ALL.iter().map(|operation| operation.load()).collect();
        self.ask(loads).await.map(drop)
    }

    /// Plain commands, each of which has to succeed.
    pub(super) async fn ask(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        let answers = self.send(commands).await?;
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }
}

pub(super) fn number(number: u64) -> Bytes {
    number.to_string().into()
}

pub(super) fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
