//! What the scripts and this crate say to each other; the headers of the scripts in `lua/` are the other side.

/// The first number of an answer.
pub(super) mod code {
    pub(crate) const DONE: u64 = 0;
    pub(crate) const STATE_LOST: u64 = 1;
    pub(crate) const LATE: u64 = 2;
    pub(crate) const OTHER_GENERATIONS: u64 = 3;
}

/// What became of a save: bits, or a number above them.
pub(super) mod status {
    pub(crate) const RELEASED: u64 = 1;
    pub(crate) const WANTED: u64 = 2;
    pub(crate) const MAIL: u64 = 4;
    pub(crate) const LOST: u64 = 8;
    /// Plus the number of the quota.
    pub(crate) const FULL: u64 = 16;
}

/// What became of a put, where it is a number.
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
