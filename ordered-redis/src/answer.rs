//! Verdicts and views, on their way back from the scripts.

use std::vec::IntoIter;

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::protocol::{
    Fence, Grant, HeldView, KeyView, Next, Obstacle, Phase, QuotaLimit, Verdict, Waiting,
};
use ordered_core::store::StoreError;
use redis::Value;

/// Reads a flat list, value by value.
pub(crate) struct Answer {
    values: IntoIter<Value>,
}

fn misshaped(expected: &str) -> StoreError {
    StoreError::refused(format!(
        "Redis answered a script in another shape than it was written to (no {expected}): \
         is something between here and the server that changes replies?"
    ))
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

    pub(crate) fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        match self.values.next() {
            Some(Value::Int(number)) => {
                u64::try_from(number).map_err(|_| misshaped("number from 0"))
            }
            _ => Err(misshaped("number")),
        }
    }

    fn small(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.number()?).map_err(|_| misshaped("small number"))
    }

    fn flag(&mut self) -> Result<bool, StoreError> {
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

    fn id(&mut self) -> Result<EventId, StoreError> {
        EventId::new(self.text()?).map_err(|_| misshaped("event id"))
    }

    pub(crate) fn finish(self) -> Result<(), StoreError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(misshaped("end"))
        }
    }

    pub(crate) fn verdict(&mut self) -> Result<Verdict, StoreError> {
        Ok(match self.number()? {
            1 => Verdict::Run(Grant {
                fence: Fence(self.number()?),
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
                let released = self.flag()?;
                let next = self.next()?;
                Verdict::Committed { next, released }
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
            _ => return Err(misshaped("verdict")),
        })
    }

    fn waiting(&mut self) -> Result<Waiting, StoreError> {
        let for_seq = self.number()?;
        let why = match self.number()? {
            1 => Obstacle::Gap,
            2 => Obstacle::Running,
            3 => Obstacle::LaneFull,
            4 => Obstacle::BackingOff,
            5 => Obstacle::Halted,
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
                    envelope: Envelope::decode(self.bytes()?.into()).map_err(|error| {
                        StoreError::refused("an event that is held in Redis cannot be read")
                            .with_source(error)
                    })?,
                })
            })
            .collect()
    }

    /// What `inspect.lua` says of a key before its held events.
    pub(crate) fn view(&mut self) -> Result<KeyView, StoreError> {
        let last_seq = self.number()?;
        let fence = self.number()?;
        let attempts = self.small()?;
        let phase = self.number()?;
        let due = self.number()?;
        let phase = match phase {
            0 => Phase::Open,
            1 => Phase::BackingOff { until: due },
            2 => Phase::Halted,
            _ => return Err(misshaped("phase")),
        };
        let held_bytes = self.number()?;
        let worker = self.text()?;
        let worker_alive = self.flag()?;
        let granted = self.number()?;
        let troubled = self.flag()?;
        let error = self.text()?;
        let failing_since = self.number()?;
        let failed_at = self.number()?;
        let failed_on = self.text()?;
        Ok(KeyView {
            last_seq,
            fence,
            attempts,
            worker: (granted > 0).then_some(worker),
            worker_alive,
            granted_upto: last_seq + granted,
            phase: phase.as_str(),
            due: matches!(phase, Phase::BackingOff { .. }).then_some(due),
            error: troubled.then_some(error),
            failing_since: troubled.then_some(failing_since),
            failed_at: troubled.then_some(failed_at),
            failed_on: troubled.then_some(failed_on),
            held: Vec::new(),
            held_bytes,
        })
    }

    /// The rest: a page of held events.
    pub(crate) fn held(&mut self) -> Result<Vec<HeldView>, StoreError> {
        let mut held = Vec::new();
        while !self.is_empty() {
            held.push(HeldView {
                seq: self.number()?,
                id: self.text()?,
                since: self.number()?,
            });
        }
        Ok(held)
    }
}
