//! What the scripts in `lua/` and this crate say to each other. The headers of the scripts name keys, arguments and
//! answers; this is how they are written. Numbers in bytes are big endian.
//!
//! # The arguments of an exchange
//! - *numbers*: eight counts in four bytes each (acquisitions, saves, mailboxes, look-ups, new ids, generations that
//!   are looked at, listings, and 1 where only what frees memory is to be done), and then numbers in seven bytes each:
//!   the quotas (events and bytes of a key, events and bytes of the bucket), until when the newest generation takes
//!   ids, and when it expires.
//! - *modes*: a byte for each acquisition: `a`sk, `h`and over, `s`teal.
//! - *takings*: for each save `1` where it gives the key up, or `0`; and how many seqs of the mail it takes (4).
//! - *marks*: for each new id its save (4), and 1 where its part gets an expiry (1).
//! - A *claim* is what the owner begins with: fence (7), length of the name (1), worker. A *record* is empty where it
//!   stays.
//! - A *box*: place among acquisitions and saves (4), counts of slots, changes and fetches (4 each); the slots to
//!   change (`#` first); the changes; the slots to fetch.
//! - A *change*: operation (1), slot (4), slot to move to (4), by their places; and then the letter, or the note behind
//!   its length. The operations are those of `mailbox.rs`: `n`ew, `f`orce, `r`eplace, `p`ost, `d`elete, `m`ove.
//! - A *listing*: save (4), index (1: due, gap, halted); and then the score, or nothing to remove it.
//!
//! # The answer to an exchange
//! - *heads*: for each acquisition the fence as a number where nobody had the key; [`head`] and what follows it: the
//!   new fence and the old owner without its fence, or, where busy, the owner; nothing without a lease.
//! - *records*: what the granted keys had. *statuses*: [`status`] of each save. *mails*: of those saves that have some.
//! - *seen*: for each look-up `1` where the id is remembered, or `0`.
//! - *boxes*: for each put a number ([`put`], or [`status::FULL`] and the limit) or the id in the slot; then the
//!   letters.

/// The first number of an answer.
pub(super) mod code {
    pub(crate) const DONE: u64 = 0;
    pub(crate) const STATE_LOST: u64 = 1;
    pub(crate) const LATE: u64 = 2;
    pub(crate) const OTHER_GENERATIONS: u64 = 3;
}

/// What happened to a save: bits, or a number above them.
pub(super) mod status {
    pub(crate) const RELEASED: u64 = 1;
    pub(crate) const WANTED: u64 = 2;
    pub(crate) const MAIL: u64 = 4;
    pub(crate) const LOST: u64 = 8;
    /// Plus the number of the quota.
    pub(crate) const FULL: u64 = 16;
}

/// What happened to a put, where it is a number.
pub(super) mod put {
    pub(crate) const STORED: u64 = 0;
    pub(crate) const KNOWN: u64 = 1;
}

/// What was done with an acquisition, where the answer is a text.
pub(super) mod head {
    pub(crate) const MYSELF: u8 = b'M';
    pub(crate) const DIED: u8 = b'D';
    pub(crate) const OTHER: u8 = b'O';
    pub(crate) const BUSY: u8 = b'B';
    /// Redis has no memory for another key.
    pub(crate) const REFUSED: u8 = b'U';
}

/// What a look says of a worker that is alive.
pub(super) const ALIVE: &[u8] = b"alive";

/// The field of a mailbox that counts what is held of the key.
pub(super) const HELD: &[u8] = b"#";

/// The size of a number that scripts read and write: they have 53 bits.
pub(super) const NUMBER: usize = 7;

/// The largest number that scripts hold exactly.
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// A number in seven bytes, most significant first.
pub(super) fn number(number: u64) -> [u8; NUMBER] {
    let [_, bytes @ ..] = number.min(LARGEST).to_be_bytes();
    bytes
}

/// Reads a number of up to eight bytes.
pub(super) fn read_number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Appends a count in four bytes.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}
