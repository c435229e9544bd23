use std::collections::BTreeMap;

use super::control_header::{AFTER, AT, CONTROL, EPOCH, FROM, KEY, PRODUCER, TIME, TO, WHY};
use crate::event::{Envelope, Key, Seq};
use crate::handler::Malformed;
use crate::logical::LamportProducer;
use crate::protocol::{Order, Stamp};

/// What a producer can say about a key besides sending its events. It says so in the headers of a message whose body
/// does not matter:
///
/// | header | gap-fill | reset | lost |
/// |---|---|---|---|
/// | `x-ordered-control` | `gap-fill` | `reset` | `lost` |
/// | `x-ordered-key` | the key | the key | the key |
/// | `x-ordered-from` | the first seq that will never come | | the first seq that cannot be sent again |
/// | `x-ordered-to` | the last one; the same by default | | the last one; the same by default |
/// | `x-ordered-at` | | the seq that the key goes on with | |
/// | `x-ordered-epoch` | | the number of the new numbering, to begin again below; each is larger than the one before | |
/// | `x-ordered-why` | | | what happened, and what to do |
///
/// Where the order comes from the producers ([`Order::has_producers`]), each of them numbers its events of the key by
/// itself. A gap-fill and what is lost then name the producer, in the header `x-ordered-producer`. Groups of another
/// order do not look at such a message, and these at none that names no producer.
///
/// Producers of a key whose events have [Lamport times](crate::protocol::Lamport) say with them how far they are:
///
/// | header | clock | leave |
/// |---|---|---|
/// | `x-ordered-control` | `clock` | `leave` |
/// | `x-ordered-key` | the key | the key |
/// | `x-ordered-producer` | its name | its name |
/// | `x-ordered-after` | the seq of its last event of the key; 0 for none | the seq of its last event of the key |
/// | `x-ordered-time` | the time of its clock: its next event has a later one | the time of its clock: with a later one it is there again |
///
/// All may come shuffled, twice, or before the events that they speak of: events that come all the same are handled in
/// their place as long as the key has not passed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// The seqs of this range will never come.
    GapFill {
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// The key goes on with this seq.
    Reset {
        /// The seq.
        at: Seq,
        /// The number of the new numbering; without one the key can only move upwards.
        epoch: Option<u64>,
    },
    /// The events of this range were sent once, and cannot be sent again: the answer to a request for events
    /// ([`Repair`](super::Repair)). A key that has asked for the first of them halts before it. Any other key goes on,
    /// since the event may still be in its queue.
    Lost {
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
        /// What happened, and what to do.
        why: String,
    },
    /// A producer will never send these events of the key, or the seqs of this range were given to none.
    GapFillOf {
        /// The producer.
        producer: String,
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// These events of a producer were sent once, and cannot be sent again, as for [`Control::Lost`].
    LostOf {
        /// The producer.
        producer: String,
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
        /// What happened, and what to do.
        why: String,
    },
    /// A producer shows its clock, because it has nothing to send: what it sends after this event has a later time.
    Clock {
        /// The producer.
        producer: String,
        /// Its last event of the key; 0 for none.
        after: u64,
        /// The time of its clock.
        time: u64,
    },
    /// A producer will send no more events of the key. One that sends again, or shows a later clock, is there again.
    Leave {
        /// The producer.
        producer: String,
        /// Its last event of the key; 0 for none.
        after: u64,
        /// The time of its clock.
        time: u64,
    },
}

impl Control {
    /// What a producer says every now and then while it has nothing to send: where its clock is ([`Control::Clock`]).
    #[must_use]
    pub fn clock(producer: impl Into<String>, clock: LamportProducer) -> Self {
        Self::Clock {
            producer: producer.into(),
            after: clock.seq(),
            time: clock.time(),
        }
    }

    /// What a producer says behind its last event of the key ([`Control::Leave`]).
    ///
    /// ```
    /// use ordered_core::event::Key;
    /// use ordered_core::logical::LamportProducer;
    /// use ordered_core::worker::Control;
    ///
    /// let (key, clock) = (Key::new("account-1")?, LamportProducer::at(3, 9));
    /// let message = Control::leave("north", clock).envelope(&key);
    /// assert_eq!(message.headers["x-ordered-after"], "3");
    /// assert_eq!(Control::read(&message)?, Some((key, Control::leave("north", clock))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn leave(producer: impl Into<String>, clock: LamportProducer) -> Self {
        Self::Leave {
            producer: producer.into(),
            after: clock.seq(),
            time: clock.time(),
        }
    }

    /// Whether it means anything to a group with this order. A group that waits for no seq is acknowledged what is said
    /// about missing ones, since other groups on the same stream may need it.
    #[must_use]
    pub fn concerns(&self, order: Order) -> bool {
        match self {
            Self::GapFill { .. } | Self::Lost { .. } => order.waits_for_missing(),
            Self::GapFillOf { .. } | Self::LostOf { .. } => order.has_producers(),
            Self::Reset { .. } => !order.numbers_itself(),
            Self::Clock { .. } | Self::Leave { .. } => order.has_times(),
        }
    }

    /// Whether a producer says it all the time.
    pub(super) fn is_frequent(&self) -> bool {
        matches!(self, Self::Clock { .. })
    }

    /// The message that says this about the key.
    #[must_use]
    pub fn envelope(&self, key: &Key) -> Envelope {
        let mut headers = BTreeMap::from([(KEY.to_owned(), key.to_string())]);
        let mut put = |name: &str, value: String| headers.insert(name.to_owned(), value);
        match self {
            Self::Lost { from, to, why } => {
                put(CONTROL, "lost".into());
                put(FROM, from.to_string());
                put(TO, to.to_string());
                put(WHY, why.clone());
            }
            Self::LostOf {
                producer,
                from,
                to,
                why,
            } => {
                put(CONTROL, "lost".into());
                put(PRODUCER, producer.clone());
                put(FROM, from.to_string());
                put(TO, to.to_string());
                put(WHY, why.clone());
            }
            Self::GapFillOf { producer, from, to } => {
                put(CONTROL, "gap-fill".into());
                put(PRODUCER, producer.clone());
                put(FROM, from.to_string());
                put(TO, to.to_string());
            }
            Self::Clock {
                producer,
                after,
                time,
            } => {
                put(CONTROL, "clock".into());
                put(PRODUCER, producer.clone());
                put(AFTER, after.to_string());
                put(TIME, time.to_string());
            }
            Self::Leave {
                producer,
                after,
                time,
            } => {
                put(CONTROL, "leave".into());
                put(PRODUCER, producer.clone());
                put(AFTER, after.to_string());
                put(TIME, time.to_string());
            }
            Self::GapFill { from, to } => {
                put(CONTROL, "gap-fill".into());
                put(FROM, from.to_string());
                put(TO, to.to_string());
            }
            Self::Reset { at, epoch } => {
                put(CONTROL, "reset".into());
                put(AT, at.to_string());
                if let Some(epoch) = epoch {
                    put(EPOCH, epoch.to_string());
                }
            }
        }
        Envelope {
            headers,
            ..Envelope::default()
        }
    }

    /// Whether it begins the numbering again with 0 in a group whose keys do not begin so.
    pub(super) fn resets_to_zero(&self, first_seq: u64) -> bool {
        matches!(self, Self::Reset { at, .. } if at.get() == 0 && first_seq > 0)
    }

    /// What the message says, and about which key; `None` when it is an event.
    ///
    /// # Errors
    /// When it is a control event with a header that is missing or wrong.
    pub fn read(envelope: &Envelope) -> Result<Option<(Key, Self)>, Malformed> {
        let Some(kind) = envelope.headers.get(CONTROL) else {
            return Ok(None);
        };
        let key = Key::new(required(envelope, KEY)?)?;
        let control = match kind.as_str() {
            "gap-fill" => {
                let (from, to) = range(envelope)?;
                match whose(envelope)? {
                    Some(producer) => Self::GapFillOf { producer, from, to },
                    None => Self::GapFill { from, to },
                }
            }
            "lost" => {
                let (from, to) = range(envelope)?;
                let why = envelope.headers.get(WHY).cloned().unwrap_or_default();
                match whose(envelope)? {
                    Some(producer) => Self::LostOf {
                        producer,
                        from,
                        to,
                        why,
                    },
                    None => Self::Lost { from, to, why },
                }
            }
            "reset" => Self::Reset {
                at: seq(AT, required(envelope, AT)?)?,
                epoch: epoch(envelope)?,
            },
            "clock" => Self::Clock {
                producer: producer(envelope)?,
                after: seq(AFTER, required(envelope, AFTER)?)?.get(),
                time: seq(TIME, required(envelope, TIME)?)?.get(),
            },
            "leave" => Self::Leave {
                producer: producer(envelope)?,
                after: seq(AFTER, required(envelope, AFTER)?)?.get(),
                time: seq(TIME, required(envelope, TIME)?)?.get(),
            },
            other => {
                return Err(Malformed(format!(
                    "the header {CONTROL} is {other:?}, and may be \"gap-fill\", \"reset\", \"lost\", \"clock\" or \
                     \"leave\""
                )));
            }
        };
        Ok(Some((key, control)))
    }
}

/// The numbering that an event or a reset belongs to, where it says so.
pub(super) fn epoch(envelope: &Envelope) -> Result<Option<u64>, Malformed> {
    let Some(text) = envelope.headers.get(EPOCH) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(epoch) if epoch <= Seq::MAX.get() => Ok(Some(epoch)),
        _ => Err(Malformed(format!(
            "the header {EPOCH} is {text:?}, and must be a whole number from 0 to 2^53-1"
        ))),
    }
}

fn whose(envelope: &Envelope) -> Result<Option<String>, Malformed> {
    let is_said = envelope.headers.contains_key(PRODUCER);
    is_said.then(|| producer(envelope)).transpose()
}

fn producer(envelope: &Envelope) -> Result<String, Malformed> {
    let name = required(envelope, PRODUCER)?;
    Ok(Stamp::named(name)?.to_owned())
}

fn range(envelope: &Envelope) -> Result<(Seq, Seq), Malformed> {
    let from = seq(FROM, required(envelope, FROM)?)?;
    let to = envelope
        .headers
        .get(TO)
        .map(|to| seq(TO, to))
        .transpose()?
        .unwrap_or(from);
    if to < from {
        return Err(Malformed(format!(
            "the header {TO} is {to}, and lies before {FROM}, which is {from}"
        )));
    }
    Ok((from, to))
}

fn required<'a>(envelope: &'a Envelope, name: &str) -> Result<&'a str, Malformed> {
    let value = envelope.headers.get(name).map(String::as_str);
    value.ok_or_else(|| {
        Malformed(format!(
            "a control event needs the header {name}, and this one has none"
        ))
    })
}

fn seq(name: &str, text: &str) -> Result<Seq, Malformed> {
    let seq = text.parse().ok().and_then(|number| Seq::new(number).ok());
    seq.ok_or_else(|| {
        Malformed(format!(
            "the header {name} is {text:?}, and must be a whole number from 0 to 2^53-1"
        ))
    })
}
