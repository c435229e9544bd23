//! The body of a record: compact, versioned, and understood by nobody but the protocol.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Anchor, KeyState, Pause, Phase};
use crate::protocol::Fence;

/// A body that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptBody {
    /// It was written by a later version.
    #[error(
        "the state of the key was written by a later version of `ordered` (format {0}): update this worker"
    )]
    Version(u8),
    /// It is damaged.
    #[error("the state of the key is damaged: {0}")]
    Damaged(String),
}

/// The format of a key with nothing but its last seq and one anchor, or none: most keys, most of the time.
const SHORT: u8 = 1;
/// The format of all others.
const FULL: u8 = 2;

/// The format of a key with producers: as `FULL`, and then what is known of these.
const WITH_PRODUCERS: u8 = 3;

/// A byte for the format, three numbers of at most ten bytes each, and one that says whether there is an anchor.
const LONGEST_SHORT: usize = 1 + 3 * 10 + 1;

#[derive(Serialize, Deserialize)]
struct Short {
    last_seq: u64,
    /// How far the anchor lies below `last_seq`, and its time in seconds after the fence.
    anchor: Option<(u64, i64)>,
}

impl KeyState {
    /// The bytes of the state, saved under this fence.
    #[must_use]
    pub fn encode(&self, fence: Fence) -> Bytes {
        let always = "numbers and strings always serialise into memory";
        if !self.producers.is_empty() {
            let encoded = postcard::to_extend(self, vec![WITH_PRODUCERS]);
            let encoded = postcard::to_extend(&self.producers, encoded.expect(always));
            return encoded.expect(always).into();
        }
        let Some(short) = self.short(fence) else {
            let encoded = postcard::to_extend(self, vec![FULL]);
            return encoded.expect(always).into();
        };
        let mut bytes = [SHORT; LONGEST_SHORT];
        let used = postcard::to_slice(&short, &mut bytes[1..])
            .expect(always)
            .len();
        Bytes::copy_from_slice(&bytes[..=used])
    }

    /// The inverse of [`KeyState::encode`], with the fence that the body was saved under.
    ///
    /// # Errors
    /// When the bytes were not written by `encode` of this version or an earlier one.
    pub fn decode(body: &[u8], fence: Fence) -> Result<Self, CorruptBody> {
        let damaged = |error: postcard::Error| CorruptBody::Damaged(error.to_string());
        match body.split_first() {
            Some((&SHORT, rest)) => {
                let short: Short = postcard::from_bytes(rest).map_err(damaged)?;
                Ok(Self::from_short(&short, fence))
            }
            Some((&FULL, rest)) => postcard::from_bytes(rest).map_err(damaged),
            Some((&WITH_PRODUCERS, rest)) => {
                let (state, rest): (Self, &[u8]) =
                    postcard::take_from_bytes(rest).map_err(damaged)?;
                let producers = postcard::from_bytes(rest).map_err(damaged)?;
                Ok(Self { producers, ..state })
            }
            Some((version, _)) => Err(CorruptBody::Version(*version)),
            None => Err(CorruptBody::Damaged("it is empty".into())),
        }
    }

    fn short(&self, fence: Fence) -> Option<Short> {
        // All fields by name, so that none is forgotten.
        let Self {
            last_seq,
            epoch: 0,
            attempts: 0,
            crashes: 0,
            unfinished: 0,
            on_trial: false,
            tried_at: 0,
            phase: Phase::Open,
            paused: Pause::No,
            last_error: None,
            gap_since: None,
            repair: None,
            held,
            absent,
            skipped,
            dead,
            replays,
            anchors,
            producers,
        } = self
        else {
            return None;
        };
        let is_short = held.is_empty()
            && absent.is_empty()
            && skipped.is_empty()
            && dead.is_empty()
            && replays.is_empty()
            && producers.is_empty();
        let anchor = match anchors[..] {
            _ if !is_short => return None,
            [] => None,
            [Anchor { seq, at }] => {
                let after = i64::try_from(at / 1_000).ok()? - granted_at(fence);
                Some((last_seq.wrapping_sub(seq), after))
            }
            _ => return None,
        };
        let last_seq = *last_seq;
        Some(Short { last_seq, anchor })
    }

    fn from_short(short: &Short, fence: Fence) -> Self {
        let anchor = short.anchor.map(|(below, after)| {
            let at = granted_at(fence).saturating_add(after);
            Anchor {
                seq: short.last_seq.wrapping_sub(below),
                at: u64::try_from(at).unwrap_or(0).saturating_mul(1_000),
            }
        });
        Self {
            last_seq: short.last_seq,
            anchors: anchor.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// The second of the grant, by its fence, which is the time in microseconds or later. Whole seconds on both sides: an
/// anchor that is read and saved again and again stays where it is.
fn granted_at(fence: Fence) -> i64 {
    i64::try_from(fence.0 / 1_000_000).unwrap_or(i64::MAX)
}
