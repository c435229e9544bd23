//! Verdicts and views, on their way back from the scripts.

use std::vec::IntoIter;

use bytes::Bytes;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::protocol::{
    Action, Effect, Fence, Grant, Next, Obstacle, QuotaLimit, Refusal, Verdict, Waiting,
};
use ordered_core::store::StoreError;
use redis::Value;

use crate::ids;

/// Reads a flat list, value by value.
pub(crate) struct Answer {
    values: IntoIter<Value>,
}

pub(crate) fn misshaped(expected: &str) -> StoreError {
    StoreError::refused(format!(
        "Redis answered a script in another shape than it was written to (no {expected}): \
         is something between here and the server that changes replies?"
    ))
}

fn overtaken() -> StoreError {
    StoreError::unavailable("a later call of this worker came to Redis before this one")
}

impl Answer {
    pub(crate) fn new(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Array(values) => Ok(Self {
                values: values.into_iter(),
            }),
            _ => Err(misshaped("list")),
        }
    }

    /// The members of a list or a set, or the pairs of a hash one after the other.
    pub(crate) fn members(value: Value) -> Result<Vec<String>, StoreError> {
        let mut answer = match value {
            Value::Set(values) => Self::new(Value::Array(values))?,
            Value::Map(pairs) => {
                let flat = pairs.into_iter().flat_map(|(name, value)| [name, value]);
                Self::new(Value::Array(flat.collect()))?
            }
            other => Self::new(other)?,
        };
        let mut members = Vec::new();
        while !answer.is_empty() {
            members.push(answer.text()?);
        }
        Ok(members)
    }

    /// What a scan answers: the next cursor, and of what it lists each that stands at a multiple of `step`.
    pub(crate) fn page(value: Value, step: usize) -> Result<(String, Vec<String>), StoreError> {
        let mut answer = Self::new(value)?;
        let cursor = answer.text()?;
        let listed = answer.values.next().ok_or_else(|| misshaped("page"))?;
        let names = Self::new(listed)?.values.step_by(step).collect();
        Ok((cursor, Self::members(Value::Array(names))?))
    }

    /// The entries of a stream: of each the values of its fields, in their order.
    pub(crate) fn stream(value: Value) -> Result<Vec<Vec<String>>, StoreError> {
        let mut entries = Vec::new();
        for entry in Self::new(value)?.values {
            let mut entry = Self::new(entry)?.values.skip(1);
            let fields = entry.next().ok_or_else(|| misshaped("entry"))?;
            entries.push(
                Self::members(fields)?
                    .into_iter()
                    .skip(1)
                    .step_by(2)
                    .collect(),
            );
        }
        Ok(entries)
    }

    /// A text, or nothing where there is none.
    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.values.as_slice().first() {
            Some(Value::Nil) => Ok(self.values.next().and(None)),
            _ => self.text().map(Some),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    fn signed(&mut self) -> Result<i64, StoreError> {
        match self.values.next() {
            Some(Value::Int(number)) => Ok(number),
            _ => Err(misshaped("number")),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        u64::try_from(self.signed()?).map_err(|_| misshaped("number from 0"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.number()?).map_err(|_| misshaped("small number"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.number()? == 1)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.values.next() {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            _ => Err(misshaped("text")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        String::from_utf8(self.bytes()?).map_err(|_| misshaped("UTF-8"))
    }

    pub(crate) fn key(&mut self) -> Result<Key, StoreError> {
        Key::new(self.text()?).map_err(|_| misshaped("key"))
    }

    pub(crate) fn id(&mut self) -> Result<EventId, StoreError> {
        ids::read(&self.bytes()?).ok_or_else(|| misshaped("event id"))
    }

    pub(crate) fn finish(self) -> Result<(), StoreError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(misshaped("end"))
        }
    }

    /// What was said to this command.
    pub(crate) fn verdict(&mut self, action: &Action) -> Result<Verdict, StoreError> {
        let code = self.signed()?;
        let below = code.unsigned_abs();
        Ok(match code {
            ..0 => match action {
                Action::Offer(event) | Action::Hold(event, _) => Verdict::Run(Grant {
                    fence: Fence(below),
                    front: event.seq.get(),
                    attempt: 1,
                    repeat: false,
                }),
                Action::Commit { .. } => Verdict::Committed {
                    next: Vec::new(),
                    front: Some(below),
                },
                _ => return Err(misshaped("verdict")),
            },
            0 => Verdict::Committed {
                next: Vec::new(),
                front: None,
            },
            1 => Verdict::Run(Grant {
                fence: Fence(self.number()?),
                front: self.number()?,
                attempt: self.small()?,
                repeat: self.flag()?,
            }),
            2 => Verdict::Early(self.waiting()?),
            3 => Verdict::Held(self.waiting()?),
            4 => Verdict::HoldFull(self.limit()?),
            5 => Verdict::Duplicate,
            6 => Verdict::Stale,
            7 => Verdict::Conflict {
                recorded: self.id()?,
            },
            8 => {
                let front = Some(self.number()?).filter(|front| *front > 0);
                let next = self.next()?;
                Verdict::Committed { next, front }
            }
            9 => Verdict::Postponed {
                until: self.number()?,
            },
            10 => Verdict::Halted,
            11 => Verdict::Released,
            12 => Verdict::Claimed {
                fence: Fence(self.number()?),
                attempt: self.small()?,
                next: self.next()?,
            },
            13 => Verdict::Idle,
            14 => Verdict::Fenced,
            15 => Verdict::Late,
            16 => Verdict::NotYet,
            17 => Verdict::Noted,
            18 => Verdict::Operated(Effect {
                last_seq: self.number()?,
                released: self.numbers()?,
                removed: self.numbers()?,
            }),
            19 => Verdict::Refused(self.refusal()?),
            20 => return Err(overtaken()),
            _ => return Err(misshaped("verdict")),
        })
    }

    fn refusal(&mut self) -> Result<Refusal, StoreError> {
        Ok(match self.number()? {
            1 => Refusal::NotStopped,
            2 => Refusal::NothingToSkip,
            3 => Refusal::NotAhead,
            4 => Refusal::NoSuchEvent,
            5 => Refusal::Running,
            6 => Refusal::Already,
            7 => Refusal::Superseded,
            _ => return Err(misshaped("refusal")),
        })
    }

    /// Numbers, after how many there are.
    pub(crate) fn numbers(&mut self) -> Result<Vec<u64>, StoreError> {
        (0..self.number()?).map(|_| self.number()).collect()
    }

    fn waiting(&mut self) -> Result<Waiting, StoreError> {
        let for_seq = self.number()?;
        let why = match self.number()? {
            1 => Obstacle::Gap,
            2 => Obstacle::Running,
            3 => Obstacle::LaneFull,
            4 => Obstacle::BackingOff,
            5 => Obstacle::Halted,
            6 => Obstacle::Paused,
            _ => return Err(misshaped("obstacle")),
        };
        Ok(Waiting { for_seq, why })
    }

    fn limit(&mut self) -> Result<QuotaLimit, StoreError> {
        match self.number()? {
            1 => Ok(QuotaLimit::KeyEvents),
            2 => Ok(QuotaLimit::KeyBytes),
            3 => Ok(QuotaLimit::GroupEvents),
            4 => Ok(QuotaLimit::GroupBytes),
            _ => Err(misshaped("quota")),
        }
    }

    fn next(&mut self) -> Result<Vec<Next>, StoreError> {
        (0..self.number()?)
            .map(|_| {
                Ok(Next {
                    seq: Seq::new(self.number()?).map_err(|_| misshaped("seq"))?,
                    id: self.id()?,
                    repeat: self.flag()?,
                    since: self.number()?,
                    envelope: self.envelope()?,
                })
            })
            .collect()
    }

    /// What was damaged in Redis comes as it is, as a body: no handler reads it, so that its key halts there, and no other.
    pub(crate) fn envelope(&mut self) -> Result<Envelope, StoreError> {
        let bytes = Bytes::from(self.bytes()?);
        Ok(Envelope::decode(bytes.clone()).unwrap_or_else(|error| {
            tracing::error!(%error, "an event that is kept in Redis cannot be read");
            Envelope::new(bytes)
        }))
    }
}
