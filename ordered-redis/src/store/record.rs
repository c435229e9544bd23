//! The values that are kept of a key: its record, its owner, and its letters; and the leases of workers.

use bytes::Bytes;
use ordered_core::protocol::{Fence, Millis, WorkerId};
use ordered_core::store::Letter;
use ordered_core::store::StoreError;

use super::reply::{event_id, misshaped};
use super::wire::{self, NUMBER};

/// The fence and the body of a record.
pub(super) fn split_record(bytes: Vec<u8>) -> Result<(Fence, Bytes), StoreError> {
    let mut body = Bytes::from(bytes);
    if body.len() < NUMBER {
        return Err(misshaped("record"));
    }
    let fence = body.split_to(NUMBER);
    Ok((Fence(wire::read_number(&fence)), body))
}

/// An entry of the owners, as it is read.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) fence: Fence,
    pub(super) wanted: bool,
    pub(super) since: Millis,
    pub(super) worker: WorkerId,
    pub(super) mail: Vec<u64>,
}

impl Owner {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, StoreError> {
        let parts = bytes.split_at_checked(NUMBER).and_then(|(fence, rest)| {
            let (length, rest) = rest.split_first()?;
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            let (wanted, rest) = rest.split_first()?;
            let (since, mail) = rest.split_at_checked(NUMBER)?;
            Some((fence, name, *wanted, since, mail))
        });
        let (fence, name, wanted, since, mail_bytes) = parts.ok_or_else(|| misshaped("owner"))?;
        Ok(Self {
            fence: Fence(wire::read_number(fence)),
            wanted: wanted != 0,
            since: wire::read_number(since),
            worker: worker(name)?,
            mail: mail(mail_bytes),
        })
    }
}

/// The name of the worker in an entry of the owners.
pub(super) fn holder(owner: &[u8]) -> Option<&[u8]> {
    let (length, rest) = owner.get(NUMBER..)?.split_first()?;
    rest.get(..usize::from(*length))
}

pub(super) fn worker(name: &[u8]) -> Result<WorkerId, StoreError> {
    let name = std::str::from_utf8(name).map_err(|_| misshaped("worker"))?;
    Ok(WorkerId::new(name))
}

pub(super) fn mail(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(wire::read_number).collect()
}

/// Writes a letter: the note and the id, each behind its length, and then the data.
pub(super) fn put_letter(out: &mut Vec<u8>, letter: &Letter) -> Result<(), StoreError> {
    put_text(out, &letter.note)?;
    put_text(out, letter.id.as_str().as_bytes())?;
    out.extend_from_slice(&letter.data);
    Ok(())
}

/// Writes a note or an id behind its length in two bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) -> Result<(), StoreError> {
    let length = u16::try_from(text.len()).map_err(|_| {
        StoreError::refused(format!(
            "the id or the note of an event has {} bytes, and may have 65535 at most",
            text.len()
        ))
    })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text);
    Ok(())
}

/// How many bytes of a letter are lengths.
pub(super) const LENGTHS: u64 = 4;

/// The inverse of [`put_letter`].
pub(super) fn read_letter(bytes: Vec<u8>) -> Result<Letter, StoreError> {
    let mut data = Bytes::from(bytes);
    let mut text = || {
        if data.len() < 2 {
            return Err(misshaped("letter"));
        }
        let length = data.split_to(2);
        let length = usize::from(length[0]) << 8 | usize::from(length[1]);
        if data.len() < length {
            return Err(misshaped("letter"));
        }
        Ok(data.split_to(length))
    };
    let (note, id) = (text()?, text()?);
    let id = event_id(&id)?;
    Ok(Letter { id, note, data })
}

/// The lease of a worker, as it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    beat: Millis,
    length: Millis,
    doubt: Millis,
}

impl Lease {
    /// `None` for that of a worker that left.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..3 * NUMBER)?;
        Some(Self {
            beat: wire::read_number(&bytes[..NUMBER]),
            length: wire::read_number(&bytes[NUMBER..2 * NUMBER]),
            doubt: wire::read_number(&bytes[2 * NUMBER..]),
        })
    }

    /// When it is over, if no heartbeat comes.
    pub(super) fn until(self) -> Millis {
        self.beat.saturating_add(self.length)
    }

    /// Whether the worker counts as alive. Not a look: it changes nothing.
    pub(super) fn is_alive(self, now: Millis) -> bool {
        self.doubt == 0 || now < self.doubt.min(now).saturating_add(self.length / 2)
    }
}
