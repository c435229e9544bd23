//! Leases, and what is known of the workers of a group.

use std::time::Duration;

use ordered_core::store::{Group, StoreError};
use ordered_core::store::{Heartbeat, Session};
use redis::{Cmd, cmd};

use super::encode::millis;
use super::reply::Reply;
use super::script::HEARTBEAT;
use super::session::GroupState;
use super::wire::code;
use super::{RedisStore, state_lost};

/// A lease is no longer than this: scripts add its half to the time.
const LONGEST_LEASE: u64 = 1 << 50;

impl RedisStore {
    pub(super) async fn beat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        let state = self.state(group, session).await?;
        let calls = self.lease_calls(&state, session, millis(lease).clamp(1, LONGEST_LEASE));
        let mut beat = Heartbeat {
            now: 0,
            paused: false,
        };
        for (bucket, answer) in state.buckets.iter().zip(self.run(calls).await?) {
            let mut answer = Reply::new(answer)?;
            let (code, now) = (answer.number()?, answer.number()?);
            if code != code::DONE {
                return Err(state_lost(group));
            }
            beat.now = beat.now.max(now);
            beat.paused |= answer.number()? != 0;
            if let Some(generations) = answer.maybe_text()? {
                bucket.ids().learn_text(&generations)?;
            }
        }
        Ok(beat)
    }

    pub(super) async fn end_lease(
        &self,
        group: &Group,
        session: &Session,
    ) -> Result<(), StoreError> {
        let state = self.state(group, session).await?;
        let calls = self.lease_calls(&state, session, 0);
        for answer in self.run(calls).await? {
            if Reply::new(answer)?.number()? != code::DONE {
                return Err(state_lost(group));
            }
        }
        let mut forget = cmd("HDEL");
        let workers = self.shared.keyspace.workers(group.name());
        forget.arg(workers).arg(session.worker.as_str());
        self.ask(vec![forget]).await.map(drop)
    }

    /// One call for each bucket: a worker has a lease in every one. A length of 0 ends it.
    fn lease_calls(&self, state: &GroupState, session: &Session, length: u64) -> Vec<Cmd> {
        let calls = state.buckets.iter().map(|bucket| {
            let mut call = HEARTBEAT.call(&bucket.tag, 0, 4, 256);
            call.arg(state.incarnation_text())
                .arg(session.worker.as_str())
                .arg(length)
                .arg(self.given_time());
            call
        });
        calls.collect()
    }
}
