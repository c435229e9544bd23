//! What all clones of a store share, and how scripts are run.

use std::sync::Mutex;

use bytes::Bytes;
use ordered_core::clock::Clock;
use ordered_core::store::{Group, StoreError};
use redis::{Cmd, RedisError, RedisResult, Value};

use crate::error::{is_no_script, store_error};
use crate::link::Link;
use crate::names::Names;
use crate::script::{ALL, Call, Operation};
use crate::sweep::AllCursors;

pub(crate) struct Shared {
    pub(crate) link: Link,
    /// Host and port, without what must not be shown.
    pub(crate) address: String,
    pub(crate) names: Names,
    pub(crate) buckets: u32,
    pub(crate) strict: bool,
    pub(crate) clock: Option<Clock>,
    // A std mutex: held for a lookup, and never over an await.
    pub(crate) cursors: Mutex<AllCursors>,
}

impl Shared {
    /// The time that a test brings; 0 is the server's own.
    pub(crate) fn given_time(&self) -> u64 {
        self.clock.as_ref().map_or(0, Clock::now)
    }

    pub(crate) fn call(
        &self,
        operation: &'static Operation,
        group: &Group,
        bucket: u32,
        arguments: Vec<Bytes>,
    ) -> Call {
        Call {
            operation,
            tag: self.names.bucket(group, bucket),
            arguments,
        }
    }

    pub(crate) fn error(&self, error: RedisError) -> StoreError {
        store_error(&self.address, error)
    }

    /// Sends the commands at once and answers each by itself.
    pub(crate) async fn send(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let answers = self.link.send(commands).await;
        answers.map_err(|error| self.error(error))
    }

    pub(crate) async fn ask(&self, command: Cmd) -> Result<Value, StoreError> {
        self.only(self.send(vec![command]).await?)
    }

    /// Runs the scripts, all at once. A server that was restarted, or told to forget its scripts, is given them again.
    pub(crate) async fn try_run(
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

    pub(crate) async fn run(&self, calls: &[Call]) -> Result<Vec<Value>, StoreError> {
        let answers = self.try_run(calls).await?;
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }

    pub(crate) async fn run_one(&self, call: Call) -> Result<Value, StoreError> {
        self.only(self.try_run(&[call]).await?)
    }

    fn only(&self, answers: Vec<RedisResult<Value>>) -> Result<Value, StoreError> {
        let answer = answers.into_iter().next();
        answer
            .ok_or_else(|| StoreError::unavailable("Redis gave no answer"))?
            .map_err(|error| self.error(error))
    }

    pub(crate) async fn load(&self) -> Result<(), StoreError> {
        let loads = ALL.iter().map(|operation| operation.load()).collect();
        for answer in self.send(loads).await? {
            answer.map_err(|error| self.error(error))?;
        }
        Ok(())
    }
}

pub(crate) fn number(number: u64) -> Bytes {
    number.to_string().into()
}

pub(crate) fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
