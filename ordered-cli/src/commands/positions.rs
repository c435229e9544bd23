//! The lines of a file of positions: `key<TAB>last_seq`, or `{"key":"…","last_seq":…}`, with `"epoch":…` where the
//! numbering of the key was started over.

use std::collections::HashMap;
use std::io::{self, BufRead};

use ordered_core::admin::Position;
use ordered_core::event::{Key, Seq};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    key: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    last_seq: u64,
}

/// A line that is no position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    /// Its number, from 1.
    pub(super) line: u64,
    pub(super) why: String,
}

/// The positions of a file, and the lines that cannot be used. Empty lines are passed over.
pub(super) fn read(mut lines: impl BufRead) -> io::Result<(Vec<Position>, Vec<BadLine>)> {
    let (mut positions, mut bad) = (Vec::new(), Vec::new());
    let mut seen: HashMap<Key, u64> = HashMap::new();
    let (mut number, mut bytes) = (0, Vec::new());
    loop {
        bytes.clear();
        if lines.read_until(b'\n', &mut bytes)? == 0 {
            return Ok((positions, bad));
        }
        number += 1;
        let found = position(&bytes).and_then(|position| match position {
            Some(position) => match seen.get(&position.key) {
                Some(first) => Err(format!("the key is on line {first} already")),
                None => Ok(Some(position)),
            },
            None => Ok(None),
        });
        match found {
            Ok(Some(position)) => {
                seen.insert(position.key.clone(), number);
                positions.push(position);
            }
            Ok(None) => {}
            Err(why) => bad.push(BadLine { line: number, why }),
        }
    }
}

/// The position on a line; `None` where it is empty.
fn position(line: &[u8]) -> Result<Option<Position>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Ok(None);
    }
    let (key, epoch, last_seq) = if line.starts_with('{') {
        let line: Line<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        (line.key.into_owned(), line.epoch, line.last_seq)
    } else {
        let parts = line.split_once('\t');
        let (key, last) = parts.ok_or("there is no tab between a key and a seq")?;
        let last = last.trim().parse();
        (
            key.to_owned(),
            None,
            last.map_err(|_| "what follows the tab is not a whole number".to_owned())?,
        )
    };
    let key = Key::new(key).map_err(|error| error.to_string())?;
    if last_seq > Seq::MAX.get() {
        return Err(format!("{last_seq} is above the largest seq, {}", Seq::MAX));
    }
    Ok(Some(Position {
        key,
        epoch,
        last_seq,
    }))
}

/// The line of a position: with a tab where that can be read again.
pub(super) fn written(position: &Position, as_json: bool) -> String {
    let (key, last_seq) = (position.key.as_str(), position.last_seq);
    let is_plain = !key.starts_with('{') && !key.contains(['\t', '\n', '\r']);
    if is_plain && !as_json && position.epoch.is_none() {
        return format!("{key}\t{last_seq}");
    }
    let line = Line {
        key: key.into(),
        epoch: position.epoch,
        last_seq,
    };
    serde_json::to_string(&line).expect("text and a number always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(key: &str, last_seq: u64) -> Position {
        Position {
            key: Key::new(key).unwrap(),
            epoch: None,
            last_seq,
        }
    }

    #[test]
    fn every_key_comes_back_from_its_line() {
        let positions: Vec<Position> = [
            "order-17",
            "with space",
            "{brace",
            "tab\there",
            "new\nline",
            "ü",
            "\"q\\",
        ]
        .into_iter()
        .map(|key| position(key, 41))
        .chain([Position {
            epoch: Some(3),
            ..position("numbered again", 1)
        }])
        .collect();
        for as_json in [false, true] {
            let lines: Vec<String> = positions
                .iter()
                .map(|position| written(position, as_json))
                .collect();
            let (read, bad) = read(lines.join("\n").as_bytes()).unwrap();
            assert_eq!((read, bad), (positions.clone(), Vec::new()));
        }
    }

    #[test]
    fn bad_lines_are_named_by_their_number() {
        let text = "a\t1\r\n\nb 2\nc\tx\n{\"key\":\"d\"}\na\t3\n\t4\ne\t9007199254740992\nf\t0\n";
        let (positions, bad) = read(text.as_bytes()).unwrap();
        assert_eq!(positions, [position("a", 1), position("f", 0)]);
        let lines: Vec<u64> = bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8]);
        assert_eq!(bad[3].why, "the key is on line 1 already");
        let (_, bad) = read(&b"\xff\t1"[..]).unwrap();
        assert_eq!(bad[0].why, "it is not UTF-8");
    }
}
