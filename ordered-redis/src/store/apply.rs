//! A batch of commands, parted by bucket.

use bytes::Bytes;
use ordered_core::protocol::{Command, QuotaLimit, Verdict, WorkerId};
use ordered_core::store::{Group, StoreError};
use redis::Value;

use super::RedisStore;
use crate::answer::Answer;
use crate::error::is_out_of_memory;
use crate::request::{Portion, portions, situation, takes_in};
use crate::script::APPLY;

/// What an `apply` is about.
struct Batch<'a> {
    group: &'a Group,
    situation: Bytes,
    commands: &'a [Command],
}

pub(super) fn read_verdicts(
    answer: Value,
    commands: &[Command],
    places: Vec<usize>,
    verdicts: &mut [Option<Verdict>],
) -> Result<(), StoreError> {
    let mut answer = Answer::new(answer)?;
    for place in places {
        verdicts[place] = Some(answer.verdict(&commands[place].action)?);
    }
    answer.finish()
}

impl RedisStore {
    pub(super) async fn apply_all(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        let share = group.policy().group_quota.share(self.buckets());
        let call = self.shared.calls.number();
        let time = self.given_time();
        let situation = situation(group.policy(), share, worker, time, false, "", call);
        let mut verdicts: Vec<Option<Verdict>> = commands.iter().map(|_| None).collect();
        let batch = Batch {
            group,
            situation,
            commands,
        };
        for round in portions(commands, self.buckets()) {
            let mut sent = Vec::with_capacity(round.len());
            let mut calls = Vec::with_capacity(round.len());
            for (bucket, portion) in round {
                let (places, arguments) = portion.finish(batch.situation.clone());
                sent.push((bucket, places));
                calls.push(self.call(&APPLY, group, bucket, arguments));
            }
            for ((bucket, places), answer) in sent.into_iter().zip(self.try_run(&calls).await?) {
                match answer {
                    Ok(answer) => read_verdicts(answer, commands, places, &mut verdicts)?,
                    Err(error) => {
                        self.settle_only(&batch, bucket, places, error, &mut verdicts)
                            .await?;
                    }
                }
            }
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// A server without memory refused a portion. If some of it settles what is at work, that is said without the
    /// rest, so that what is held can drain; the rest is told that there is no room. Elsewise the store is away.
    async fn settle_only(
        &self,
        batch: &Batch<'_>,
        bucket: u32,
        places: Vec<usize>,
        error: redis::RedisError,
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), StoreError> {
        let (refused, settling): (Vec<usize>, Vec<usize>) = places
            .into_iter()
            .partition(|place| takes_in(&batch.commands[*place]));
        if settling.is_empty() || !is_out_of_memory(&error) {
            return Err(self.error(error));
        }
        let portion = Portion::of(batch.commands, settling);
        let (places, arguments) = portion.finish(batch.situation.clone());
        let call = self.call(&APPLY, batch.group, bucket, arguments);
        read_verdicts(
            self.run(&[call]).await?.remove(0),
            batch.commands,
            places,
            verdicts,
        )?;
        for place in refused {
            verdicts[place] = Some(Verdict::HoldFull(QuotaLimit::GroupBytes));
        }
        Ok(())
    }
}
