//! A batch of requests: one call for each bucket that it touches, all at once.

use ordered_core::protocol::Millis;
use ordered_core::store::{Answer, Exchange, Request, Session, bucket_of};
use ordered_core::store::{Group, StoreError, StoreErrorKind};
use redis::{Cmd, RedisError, RedisResult, Value, cmd};

use super::RedisStore;
use super::decode::{Outcome, decode};
use super::encode::{Context, Encoded, Portion};
use super::reply::number;
use super::session::GroupState;
use super::state_lost;
use crate::error::{is_no_script, is_out_of_memory};

/// How often a call is repeated that Redis refused to carry out and that another try may let through.
const MOST_ROUNDS: usize = 8;
/// The scripts name a request in a batch by a number that this keeps small.
const MOST_REQUESTS: usize = 1 << 16;

/// The answers so far.
struct Answers {
    now: Millis,
    paused: bool,
    answers: Vec<Option<Answer>>,
    /// Why a portion has no answers.
    failure: Option<StoreError>,
}

impl RedisStore {
    pub(super) async fn exchange_all(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        if requests.len() > MOST_REQUESTS {
            return Err(StoreError::refused(format!(
                "a batch has {} requests, and may have {MOST_REQUESTS} at most",
                requests.len()
            )));
        }
        let state = self.state(group, session).await?;
        let mut answers = Answers {
            now: 0,
            paused: false,
            answers: requests.iter().map(|_| None).collect(),
            failure: None,
        };
        let mut portions = portions(requests, state.buckets.len());
        for _ in 0..MOST_ROUNDS {
            if portions.is_empty() {
                break;
            }
            portions = self
                .round(group, session, &state, portions, &mut answers)
                .await?;
        }
        if !portions.is_empty() {
            answers.failed(StoreError::unavailable(
                "Redis forgot the scripts, or its remembered ids changed, again and again",
            ));
        }
        answers.finish()
    }

    /// Sends each portion once. Returns those that were not carried out, for certain, and are to be sent again.
    async fn round<'a>(
        &self,
        group: &Group,
        session: &Session,
        state: &GroupState,
        portions: Vec<Portion<'a>>,
        answers: &mut Answers,
    ) -> Result<Vec<Portion<'a>>, StoreError> {
        let context = Context {
            group,
            session,
            state,
            number: self.next_call(),
            given_time: self.given_time(),
        };
        let mut sent = Vec::with_capacity(portions.len());
        let mut commands = Vec::with_capacity(portions.len());
        for portion in portions {
            let mut encoded = portion.encode(&context)?;
            commands.push(std::mem::take(&mut encoded.command));
            sent.push((portion, encoded));
        }
        let looks = looks(state, &sent, &mut commands);
        let results = match self.shared.link.send(commands).await {
            Ok(results) => results,
            Err(error) => {
                answers.failed(self.error(error));
                return Ok(Vec::new());
            }
        };
        let mut results = results.into_iter();
        let mut again = Vec::new();
        let mut is_script_missing = false;
        for (portion, encoded) in sent {
            let result = results.next().unwrap_or(Ok(Value::Nil));
            match result {
                Ok(value) => {
                    let outcome = decode(value, &portion, &encoded)?;
                    let repeat = self.settle(&context, &portion, &encoded, outcome, answers);
                    if repeat.await? {
                        again.push(portion);
                    }
                }
                Err(error) if is_no_script(&error) => {
                    is_script_missing = true;
                    again.push(portion);
                }
                Err(error) if is_out_of_memory(&error) && !portion.frees => {
                    again.push(Portion {
                        frees: true,
                        ..portion
                    });
                }
                Err(error) => self.refused(error, answers)?,
            }
        }
        if is_script_missing {
            self.load().await?;
        }
        self.grow(&context, looks, results).await?;
        Ok(again)
    }

    fn refused(&self, error: RedisError, answers: &mut Answers) -> Result<(), StoreError> {
        let error = self.error(error);
        if error.kind() != StoreErrorKind::Unavailable {
            return Err(error);
        }
        answers.failed(error);
        Ok(())
    }

    /// Takes the answers of a portion. Returns whether it is to be sent again.
    async fn settle(
        &self,
        context: &Context<'_>,
        portion: &Portion<'_>,
        encoded: &Encoded,
        outcome: Outcome,
        answers: &mut Answers,
    ) -> Result<bool, StoreError> {
        let bucket = &context.state.buckets[portion.bucket];
        match outcome {
            Outcome::Done {
                now,
                paused,
                answers: done,
            } => {
                let saves = &done[portion.acquires.len()..];
                let is_saved = |save: usize| matches!(saves[save].1, Answer::Saved(_));
                let added = encoded.added.iter();
                let parts = added.filter_map(|(save, part)| is_saved(*save).then_some(*part));
                let mut ids = bucket.ids();
                ids.note_added(encoded.generations.newest(), parts);
                drop(ids);
                answers.now = answers.now.max(now);
                answers.paused |= paused;
                for (place, answer) in done {
                    answers.answers[place] = Some(answer);
                }
                Ok(false)
            }
            Outcome::StateLost => Err(state_lost(context.group)),
            Outcome::Late => {
                answers.failed(StoreError::unavailable(
                    "a later call of this worker reached Redis first, so that this one changed nothing",
                ));
                Ok(false)
            }
            Outcome::OtherGenerations { now, generations } => {
                if generations == encoded.generations.text() {
                    self.begin_generation(context, portion.bucket, now, None)
                        .await?;
                } else {
                    bucket.ids().learn_text(&generations)?;
                }
                Ok(true)
            }
        }
    }

    /// Begins a generation in each bucket of which a part was found full.
    async fn grow(
        &self,
        context: &Context<'_>,
        looks: Vec<Look>,
        results: impl Iterator<Item = RedisResult<Value>>,
    ) -> Result<(), StoreError> {
        for (look, result) in looks.into_iter().zip(results) {
            // It is only a look: the next one comes.
            let Some(count) = result.ok().and_then(|value| number(value).ok()) else {
                continue;
            };
            if let Some(parts) = super::ids::grown(look.parts, count) {
                let now = self.time().await?;
                let grown = self.begin_generation(context, look.bucket, now, Some(parts));
                match grown.await {
                    Err(error) if error.kind() == StoreErrorKind::Refused => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Answers {
    fn failed(&mut self, error: StoreError) {
        self.failure = Some(error);
    }

    fn finish(self) -> Result<Exchange, StoreError> {
        if let Some(failure) = self.failure
            && self.answers.iter().all(Option::is_none)
        {
            return Err(failure);
        }
        let answers = self.answers.into_iter();
        Ok(Exchange {
            now: self.now,
            paused: self.paused,
            answers: answers
                .map(|answer| answer.unwrap_or(Answer::Unknown))
                .collect(),
        })
    }
}

/// The requests by bucket; of buckets without a request there is no portion. Where there are none at all, one bucket is
/// asked for the time, and whether the group is paused.
fn portions(requests: &[Request], buckets: usize) -> Vec<Portion<'_>> {
    let count = u32::try_from(buckets).unwrap_or(u32::MAX);
    let mut portions: Vec<Portion<'_>> = (0..buckets).map(Portion::new).collect();
    for (place, request) in requests.iter().enumerate() {
        let bucket = match buckets {
            1 => 0,
            _ => bucket_of(request.key().as_str(), count) as usize,
        };
        portions[bucket].push(place, request);
    }
    if requests.is_empty() {
        portions.truncate(1);
    } else {
        portions.retain(|portion| !portion.acquires.is_empty() || !portion.saves.is_empty());
    }
    portions
}

/// A look at how full one part of the newest generation is, sent beside the calls.
struct Look {
    bucket: usize,
    parts: u64,
}

fn looks(
    state: &GroupState,
    sent: &[(Portion<'_>, Encoded)],
    commands: &mut Vec<Cmd>,
) -> Vec<Look> {
    let mut looks = Vec::new();
    for (portion, _) in sent {
        let bucket = &state.buckets[portion.bucket];
        let mut ids = bucket.ids();
        let Some(part) = ids.part_to_look_at() else {
            continue;
        };
        let newest = *ids.generations.newest();
        drop(ids);
        let mut count = cmd("SCARD");
        count.arg(bucket.name(&format!("I:{}:{part}", newest.number)));
        commands.push(count);
        looks.push(Look {
            bucket: portion.bucket,
            parts: newest.parts,
        });
    }
    looks
}
