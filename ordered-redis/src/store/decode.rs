//! The answers to the requests of a portion, out of what the script returns.

use bytes::Bytes;
use ordered_core::protocol::{Fence, Millis, QuotaLimit};
use ordered_core::store::StoreError;
use ordered_core::store::{Answer, Busy, Letter, Owned, Posted, Previous, Saved};
use redis::Value;

use super::encode::{Encoded, Portion};
use super::record::{Owner, mail, read_letter, split_record, worker};
use super::reply::{Reply, event_id, misshaped, number};
use super::wire::{code, head, put, status};

/// What a call was answered with.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was carried out.
    Done {
        now: Millis,
        paused: bool,
        /// With the places of their requests.
        answers: Vec<(usize, Answer)>,
    },
    /// The state is another one, or gone.
    StateLost,
    /// A later call of the worker came first; this one changed nothing.
    Late,
    /// The generations of remembered ids are these, or the newest takes no more ids; nothing was changed.
    OtherGenerations { now: Millis, generations: String },
}

/// What is in one mailbox's part of the answer.
#[derive(Debug, Default)]
struct MailboxAnswer {
    puts: Vec<Posted>,
    letters: Vec<Option<Letter>>,
}

pub(super) fn decode(
    value: Value,
    portion: &Portion<'_>,
    encoded: &Encoded,
) -> Result<Outcome, StoreError> {
    let mut reply = Reply::new(value)?;
    let code = reply.number()?;
    let now = reply.number()?;
    match code {
        code::DONE => {}
        code::STATE_LOST => return Ok(Outcome::StateLost),
        code::LATE => return Ok(Outcome::Late),
        code::OTHER_GENERATIONS => {
            let generations = reply.maybe_text()?.unwrap_or_default();
            return Ok(Outcome::OtherGenerations { now, generations });
        }
        _ => return Err(misshaped("code")),
    }
    let paused = reply.number()? != 0;
    let (mut heads, mut records) = (reply.list()?, reply.list()?);
    let (mut statuses, mut mails) = (reply.list()?, reply.list()?);
    let mut seen = LookUpResults {
        bytes: reply.bytes()?,
        at: 0,
    };
    let mut boxes = MailboxAnswers::read(reply.list()?, portion, encoded)?;
    let mut answers = Vec::with_capacity(portion.acquires.len() + portion.saves.len());
    for (at, (place, acquire)) in portion.acquires.iter().enumerate() {
        let seen = seen.take(acquire.look_up.len())?;
        let record = records.maybe_bytes()?;
        let posted = boxes.take(at).puts;
        let answer = acquired(heads.next()?, record, seen, posted)?;
        answers.push((*place, answer));
    }
    for (at, (place, save)) in portion.saves.iter().enumerate() {
        let seen = seen.take(save.look_up.len())?;
        let result = boxes.take(portion.acquires.len() + at);
        let answer = saved(statuses.number()?, &mut mails, seen, result)?;
        answers.push((*place, answer));
    }
    Ok(Outcome::Done {
        now,
        paused,
        answers,
    })
}

fn acquired(
    value: Value,
    record: Option<Vec<u8>>,
    seen: Vec<bool>,
    posted: Vec<Posted>,
) -> Result<Answer, StoreError> {
    let bytes = match value {
        Value::Nil => return Ok(Answer::NoLease),
        Value::Int(_) => {
            let fence = Fence(number(value)?);
            return granted(fence, Previous::Nobody, record, Vec::new(), seen);
        }
        Value::BulkString(bytes) => bytes,
        _ => return Err(misshaped("grant")),
    };
    let (kind, rest) = bytes.split_first().ok_or_else(|| misshaped("grant"))?;
    match *kind {
        head::REFUSED => Ok(Answer::Unknown),
        head::BUSY => Ok(Answer::Busy(Box::new(Busy {
            owner: worker(rest)?,
            posted,
        }))),
        kind => {
            // The new fence, and behind it what the old owner was.
            let old = Owner::parse(rest)?;
            let previous = match kind {
                head::MYSELF => Previous::Myself,
                head::DIED => Previous::Died(old.worker),
                head::OTHER => Previous::Other(old.worker),
                _ => return Err(misshaped("grant")),
            };
            granted(old.fence, previous, record, old.mail, seen)
        }
    }
}

fn granted(
    fence: Fence,
    previous: Previous,
    record: Option<Vec<u8>>,
    mail: Vec<u64>,
    seen: Vec<bool>,
) -> Result<Answer, StoreError> {
    let (body_fence, body): (Fence, Option<Bytes>) = match record {
        Some(record) => {
            let (fence, body) = split_record(record)?;
            (fence, Some(body))
        }
        None => (Fence(0), None),
    };
    Ok(Answer::Owned(Box::new(Owned {
        fence,
        previous,
        body,
        body_fence,
        mail,
        seen,
    })))
}

fn saved(
    code: u64,
    mails: &mut Reply,
    seen: Vec<bool>,
    result: MailboxAnswer,
) -> Result<Answer, StoreError> {
    if code == status::LOST {
        return Ok(Answer::Lost);
    }
    if let Some(limit) = code.checked_sub(status::FULL) {
        return quota(limit).map(Answer::Full);
    }
    let mail = if code & status::MAIL == 0 {
        Vec::new()
    } else {
        mail(&mails.bytes()?)
    };
    Ok(Answer::Saved(Saved {
        released: code & status::RELEASED != 0,
        hand_over: code & status::WANTED != 0,
        mail,
        seen,
        letters: result.letters,
        puts: result.puts,
    }))
}

fn quota(number: u64) -> Result<QuotaLimit, StoreError> {
    match number {
        0 => Ok(QuotaLimit::KeyEvents),
        1 => Ok(QuotaLimit::KeyBytes),
        2 => Ok(QuotaLimit::GroupEvents),
        3 => Ok(QuotaLimit::GroupBytes),
        _ => Err(misshaped("quota")),
    }
}

fn posted(value: Value) -> Result<Posted, StoreError> {
    match value {
        Value::BulkString(id) => event_id(&id).map(Posted::Taken),
        value => match number(value)? {
            put::STORED => Ok(Posted::Stored),
            put::KNOWN => Ok(Posted::Known),
            code => {
                let limit = code.checked_sub(status::FULL);
                quota(limit.ok_or_else(|| misshaped("put"))?).map(Posted::Full)
            }
        },
    }
}

fn letter(value: Value) -> Result<Option<Letter>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => read_letter(bytes).map(Some),
        _ => Err(misshaped("letter")),
    }
}

/// For each look-up, in order, whether the id is remembered.
struct LookUpResults {
    bytes: Vec<u8>,
    at: usize,
}

impl LookUpResults {
    fn take(&mut self, count: usize) -> Result<Vec<bool>, StoreError> {
        let end = self.at + count;
        let bytes = self.bytes.get(self.at..end);
        self.at = end;
        let bytes = bytes.ok_or_else(|| misshaped("look-up"))?;
        Ok(bytes.iter().map(|byte| *byte == b'1').collect())
    }
}

/// What happened to the mailboxes, by the place of the request among acquisitions and saves.
struct MailboxAnswers(Vec<(usize, MailboxAnswer)>);

impl MailboxAnswers {
    fn read(reply: Reply, portion: &Portion<'_>, encoded: &Encoded) -> Result<Self, StoreError> {
        if reply.len() != encoded.boxes.len() {
            return Err(misshaped("mailbox"));
        }
        let mut boxes = Vec::with_capacity(encoded.boxes.len());
        for (at, value) in encoded.boxes.iter().zip(reply) {
            let mut reply = Reply::new(value)?;
            let puts = reply.list()?.map(posted).collect::<Result<_, _>>()?;
            let letters = reply.list()?.map(letter).collect::<Result<_, _>>()?;
            boxes.push((*at, MailboxAnswer { puts, letters }));
        }
        // Calls have them in the order of the batch; here they are taken in that of the portion, from the end.
        boxes.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
        debug_assert!(boxes.len() <= portion.acquires.len() + portion.saves.len());
        Ok(Self(boxes))
    }

    /// To be asked about each request in order.
    fn take(&mut self, at: usize) -> MailboxAnswer {
        match self.0.last() {
            Some((first, _)) if *first == at => self
                .0
                .pop()
                .map_or_else(MailboxAnswer::default, |(_, answer)| answer),
            _ => MailboxAnswer::default(),
        }
    }
}
