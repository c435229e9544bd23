//! How an event's id is written in Redis, and how the record that it leaves there, see `lua/done.lua`.
//!
//! The scripts compare ids and never read them. What they are given is four bytes by which the index of the records
//! finds it (its *print*), and then the id, as short as it goes and without loss:
//!
//! - a UUID in the usual form (lower case, with hyphens): its 16 bytes;
//! - any other text of 16 bytes: 0xff, which is not UTF-8, and the text;
//! - any other text: the text.

use bytes::BufMut;
use ordered_core::event::EventId;

/// How many seqs of a key share a field.
const CHUNK: u64 = 8;
/// Chunks from here on are called by a number that does not say all, so that their records say the rest.
const FAR: u64 = 1 << 31;
/// What the first byte of a record says beside the place of its seq in the chunk.
const TEXT: u8 = 16;
const TOLD: u8 = 32;

const PRINT_BYTES: usize = 4;
const UUID_BYTES: usize = 16;
const UUID_TEXT: usize = 36;
const NOT_UTF8: u8 = 0xff;

/// A number for this id of this key: FNV-1a with 64 bits over the key, 0xff and the id, mixed by the last steps of
/// MurmurHash3, of which the low half is taken. All workers and all versions have to agree on it.
pub(crate) fn number(key: &str, id: &str) -> u32 {
    let bytes = key.bytes().chain([NOT_UTF8]).chain(id.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^= hash >> 33;
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
}

/// What the index knows of an id with this number, and begins with.
pub(crate) fn print(number: u32) -> [u8; PRINT_BYTES] {
    number.to_le_bytes()
}

/// Appends the id as the scripts know it.
pub(crate) fn write(number: u32, id: &str, out: &mut Vec<u8>) {
    out.put_slice(&print(number));
    write_body(id, out);
}

fn write_body(id: &str, out: &mut Vec<u8>) {
    if let Some(bytes) = uuid(id) {
        return out.put_slice(&bytes);
    }
    if id.len() == UUID_BYTES {
        out.put_u8(NOT_UTF8);
    }
    out.put_slice(id.as_bytes());
}

/// Of an id as it is written, what comes behind the print.
pub(crate) fn body(written: &[u8]) -> &[u8] {
    &written[PRINT_BYTES..]
}

/// What was written; nothing where it is none that this writes.
pub(crate) fn read(written: &[u8]) -> Option<EventId> {
    let body = written.get(PRINT_BYTES..)?;
    if body.len() == UUID_BYTES {
        return EventId::new(uuid_text(body)).ok();
    }
    let text = body.strip_prefix(&[NOT_UTF8]).unwrap_or(body);
    EventId::new(std::str::from_utf8(text).ok()?).ok()
}

const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Where the two digits of each byte begin.
const PAIRS: [usize; UUID_BYTES] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const NO_DIGIT: u8 = 0xff;
/// What each byte is as a digit of a UUID.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit: u8 = 0;
    while digit < 16 {
        let letter = b"0123456789abcdef"[digit as usize];
        digits[letter as usize] = digit;
        digit += 1;
    }
    digits
};

/// The bytes of a UUID in the usual form.
fn uuid(text: &str) -> Option<[u8; UUID_BYTES]> {
    let text: &[u8; UUID_TEXT] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|place| text[*place] != b'-') {
        return None;
    }
    let digit = |at: usize| DIGITS[usize::from(text[at])];
    let (mut bytes, mut seen) = ([0; UUID_BYTES], 0);
    for (byte, at) in bytes.iter_mut().zip(PAIRS) {
        let (high, low) = (digit(at), digit(at + 1));
        *byte = high << 4 | low;
        seen |= high | low;
    }
    // A digit has the low four bits, and what is none has all.
    (seen < 16).then_some(bytes)
}

fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(UUID_TEXT);
    for byte in bytes {
        if HYPHENS.contains(&text.len()) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}

/// The record of a commit of the first numbering, as `lua/done.lua` writes it down; of other numberings it knows itself.
pub(crate) struct Record {
    chunk: u64,
    seq: u64,
}

impl Record {
    pub(crate) fn of(seq: u64) -> Self {
        let chunk = seq / CHUNK;
        let chunk = if chunk < FAR {
            chunk
        } else {
            FAR + chunk % FAR
        };
        Self { chunk, seq }
    }

    /// The field that its chunk has for this key.
    pub(crate) fn write_field(&self, key: &str, out: &mut Vec<u8>) {
        out.put_slice(itoa::Buffer::new().format(self.chunk).as_bytes());
        out.put_u8(b':');
        out.put_slice(key.as_bytes());
    }

    /// All of it but the expiry that ends it, with the body of its id.
    pub(crate) fn write(&self, body: &[u8], out: &mut Vec<u8>) {
        let place = u8::try_from(self.seq % CHUNK).unwrap_or_default();
        let told = if self.chunk < FAR { 0 } else { TOLD };
        let text = if body.len() == UUID_BYTES { 0 } else { TEXT };
        out.put_u8(place | text | told);
        if told > 0 {
            out.put_uint(0, 7);
            out.put_uint(self.seq, 7);
        }
        if text > 0 {
            out.put_u16(u16::try_from(body.len()).unwrap_or(u16::MAX));
        }
        out.put_slice(body);
    }

    /// Its entry in the index.
    pub(crate) fn entry(&self, number: u32) -> [u8; 8] {
        let chunk = u32::try_from(self.chunk).unwrap_or(u32::MAX);
        (u64::from(number.swap_bytes()) << 32 | u64::from(chunk)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use ordered_testkit::hostile::check;
    use proptest::prelude::*;

    use super::*;

    fn written(key: &str, id: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(number(key, id), id, &mut out);
        out
    }

    /// Texts around what is written short: of its length, of its form but for a letter, and any.
    fn id() -> impl Strategy<Value = String> {
        let uuid = any::<[u8; 16]>().prop_map(|bytes| uuid_text(&bytes));
        let spoilt =
            (uuid.clone(), 0..36_usize, "[0-9a-gA-G-]").prop_map(|(mut text, at, with)| {
                text.replace_range(at..=at, &with);
                text
            });
        prop_oneof![
            2 => uuid.clone(),
            1 => uuid.prop_map(|text| text.to_uppercase()),
            2 => spoilt,
            1 => "[0-9a-f-]{36}",
            1 => "[ -~]{15,18}",
            1 => "\\PC{1,40}",
            1 => any::<String>().prop_filter("no id is empty", |text| !text.is_empty()),
            1 => "[ -~]{16}".prop_map(|text| format!("\u{ff}{text}")),
        ]
        .prop_filter("no id is as long", |text| text.len() <= EventId::MAX_BYTES)
    }

    #[test]
    fn every_id_comes_back_as_it_was() {
        check(20_000, id(), |id| {
            let back = read(&written("key", &id)).expect("it is read");
            assert_eq!(back.as_str(), id);
        });
    }

    #[test]
    fn no_id_is_written_like_another() {
        check(20_000, (id(), id()), |(one, another)| {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            write_body(&one, &mut first);
            write_body(&another, &mut second);
            assert_eq!(first == second, one == another);
        });
    }

    #[test]
    fn only_a_uuid_in_the_usual_form_is_short() {
        let usual = "5b0c3b1e-0000-4000-8000-00000000012f";
        assert_eq!(written("k", usual).len(), 20);
        assert_eq!(written("k", &usual.to_uppercase()).len(), 40);
        assert_eq!(written("k", "sixteen letters!").len(), 21);
        assert_eq!(written("k", "x").len(), 5);
    }

    #[test]
    fn what_is_damaged_is_read_as_nothing_and_never_panics() {
        check(5_000, any::<Vec<u8>>(), |bytes| {
            if let Some(id) = read(&bytes) {
                let mut again = bytes[..4].to_vec();
                write_body(id.as_str(), &mut again);
                // 0xff before a text of another length says nothing.
                assert!(again == bytes || bytes[4] == NOT_UTF8);
            }
        });
        assert_eq!(read(b"abc"), None);
        assert_eq!(read(b"abcd"), None);
    }

    /// Records outlive the workers that wrote them.
    #[test]
    fn the_number_of_an_id_is_the_same_for_ever() {
        assert_eq!(number("order-1", "id-1"), 2_078_185_120);
        assert_eq!(print(0x0403_0201), [1, 2, 3, 4]);
    }

    #[test]
    fn a_record_says_where_it_is_and_what() {
        let uuid = "00010203-0405-0607-0809-0a0b0c0d0e0f";
        let (near, far) = (Record::of(83), Record::of((FAR + 5) * CHUNK + 3));
        let field = |record: &Record| {
            let mut out = Vec::new();
            record.write_field("k", &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(field(&near), "10:k");
        assert_eq!(field(&far), format!("{}:k", FAR + 5));
        let mut out = Vec::new();
        near.write(body(&written("k", uuid)), &mut out);
        assert_eq!(
            out,
            [3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
        );
        out.clear();
        near.write(b"ab", &mut out);
        assert_eq!(out, [19, 0, 2, b'a', b'b']);
        out.clear();
        far.write(b"ab", &mut out);
        assert_eq!(out[..8], [51, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[8..], [0, 0, 4, 0, 0, 0, 43, 0, 2, b'a', b'b']);
        assert_eq!(near.entry(0x0403_0201), [1, 2, 3, 4, 0, 0, 0, 10]);
    }
}
