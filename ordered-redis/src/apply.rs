//! A batch of commands, parted by bucket.

use bytes::Bytes;
use ordered_core::protocol::{Command, QuotaLimit, Verdict, WorkerId};
use ordered_core::store::{Group, StoreError};
use redis::{RedisError, Value};

use crate::answer::Answer;
use crate::error::is_out_of_memory;
use crate::request::{Portion, portions, situation, takes_in};
use crate::script::APPLY;
use crate::shared::Shared;

/// A batch, and what has come back of it so far.
struct Batch<'a> {
    shared: &'a Shared,
    group: &'a Group,
    situation: Bytes,
    commands: &'a [Command],
    verdicts: Vec<Option<Verdict>>,
}

pub(crate) async fn apply(
    shared: &Shared,
    group: &Group,
    worker: &WorkerId,
    commands: &[Command],
) -> Result<Vec<Verdict>, StoreError> {
    let policy = group.policy();
    let share = policy.group_quota.share(shared.buckets);
    let mut batch = Batch {
        shared,
        group,
        situation: situation(policy, share, worker, shared.given_time()),
        commands,
        verdicts: commands.iter().map(|_| None).collect(),
    };
    for round in portions(commands, shared.buckets) {
        batch.run(round).await?;
    }
    Ok(batch.verdicts.into_iter().flatten().collect())
}

impl Batch<'_> {
    /// At most one portion for each bucket, all of them at once.
    async fn run(&mut self, round: Vec<(u32, Portion)>) -> Result<(), StoreError> {
        let mut sent = Vec::with_capacity(round.len());
        let mut calls = Vec::with_capacity(round.len());
        for (bucket, portion) in round {
            let (places, arguments) = portion.finish(self.situation.clone());
            sent.push((bucket, places));
            calls.push(self.shared.call(&APPLY, self.group, bucket, arguments));
        }
        let answers = self.shared.try_run(&calls).await?;
        for ((bucket, places), answer) in sent.into_iter().zip(answers) {
            match answer {
                Ok(answer) => self.read(answer, places)?,
                Err(error) => self.settle_only(bucket, places, error).await?,
            }
        }
        Ok(())
    }

    fn read(&mut self, answer: Value, places: Vec<usize>) -> Result<(), StoreError> {
        let mut answer = Answer::new(answer)?;
        for place in places {
            self.verdicts[place] = Some(answer.verdict()?);
        }
        answer.finish()
    }

    /// A portion was refused. If it was for want of memory, and some of it settles what is at work, then that is said
    /// again without the rest, so that what is held can drain; for the rest there is no room. In every other case the
    /// store is away.
    async fn settle_only(
        &mut self,
        bucket: u32,
        places: Vec<usize>,
        error: RedisError,
    ) -> Result<(), StoreError> {
        let (refused, settling): (Vec<usize>, Vec<usize>) = places
            .into_iter()
            .partition(|place| takes_in(&self.commands[*place]));
        if settling.is_empty() || !is_out_of_memory(&error) {
            return Err(self.shared.error(error));
        }
        let portion = Portion::of(self.commands, settling.into_iter());
        let (places, arguments) = portion.finish(self.situation.clone());
        let call = self.shared.call(&APPLY, self.group, bucket, arguments);
        let answer = self.shared.run_one(call).await?;
        self.read(answer, places)?;
        for place in refused {
            self.verdicts[place] = Some(Verdict::HoldFull(QuotaLimit::GroupBytes));
        }
        Ok(())
    }
}
