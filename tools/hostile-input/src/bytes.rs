use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces that readers of JSON, of URLs and of protocols stumble over.
const PIECES: [&[u8]; 32] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\0",
    b"\n",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"null",
    b"true",
    b"-0",
    b"1e400",
    b"-1e-400",
    b"18446744073709551616",
    b"9007199254740993",
    b"0x10",
    b"NaN",
    b"/",
    b"@",
    b"%",
    b"%00",
    b"?",
    b"#",
    b"=",
];

#[derive(Debug, Clone)]
enum Change {
    Put(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Flip(Index, u8),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let piece = prop_oneof![
        4 => select(&PIECES[..]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 1..5),
        // Deep nesting.
        1 => (select(&PIECES[..]), 1_usize..300).prop_map(|(piece, times)| piece.repeat(times)),
    ];
    prop_oneof![
        4 => (place(), piece).prop_map(|(at, piece)| Change::Put(at, piece)),
        2 => (place(), 1_usize..20).prop_map(|(at, count)| Change::Remove(at, count)),
        2 => (place(), 1_usize..40).prop_map(|(at, count)| Change::Repeat(at, count)),
        2 => (place(), any::<u8>()).prop_map(|(at, mask)| Change::Flip(at, mask)),
        1 => place().prop_map(Change::Cut),
    ]
}

/// Bytes that are made of these by a few changes, as a fuzzer makes them of its corpus.
pub fn mutated<T: AsRef<[u8]>>(originals: &[T]) -> impl Strategy<Value = Bytes> + use<T> {
    let originals: Vec<Vec<u8>> = originals.iter().map(|one| one.as_ref().to_vec()).collect();
    (select(originals), vec(change(), 0..6)).prop_map(|(mut bytes, changes)| {
        changes
            .into_iter()
            .for_each(|change| apply(&mut bytes, change));
        bytes.into()
    })
}

/// The same where a text is asked for; what is no UTF-8 any more is replaced.
pub fn mutated_text<T: AsRef<[u8]>>(originals: &[T]) -> impl Strategy<Value = String> + use<T> {
    mutated(originals).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn apply(bytes: &mut Vec<u8>, change: Change) {
    let length = bytes.len();
    let from = |at: &Index| at.index(length + 1);
    let part = |at: &Index, count: usize| {
        let start = from(at);
        start..(start + count).min(length)
    };
    match change {
        Change::Put(at, piece) => drop(bytes.splice(from(&at)..from(&at), piece)),
        Change::Remove(at, count) => drop(bytes.drain(part(&at, count))),
        Change::Repeat(at, count) => {
            let piece = bytes[part(&at, count)].to_vec();
            drop(bytes.splice(from(&at)..from(&at), piece));
        }
        Change::Flip(at, mask) => {
            if let Some(byte) = bytes.get_mut(from(&at)) {
                *byte ^= mask;
            }
        }
        Change::Cut(at) => bytes.truncate(from(&at)),
    }
}
