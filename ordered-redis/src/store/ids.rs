//! Remembered ids: their digests, and the generations of sets that they are kept in.

use std::fmt::Write;
use std::hash::Hasher;

use ordered_core::event::EventId;
use ordered_core::protocol::Millis;
use ordered_core::store::StoreError;
use siphasher::sip128::{Hasher128, SipHasher13};

/// The parts of the first generation.
pub(super) const FIRST_PARTS: u64 = 64;
/// How many members a part is made for.
const MEMBERS: u64 = 256;
/// Redis keeps a set of integers compactly up to 512 members (`set-max-intset-entries`).
const MOST_MEMBERS: u64 = 400;
/// The parts that a generation has more than one that was full.
const GROWTH: u64 = 8;
const MOST_PARTS: u64 = 1 << 24;

/// What is remembered of an id under a key: one half of the digest is the member, the other chooses the part.
///
/// The digest is keyed with a secret of the group, so that nobody can make two ids that collide. A false match needs 64
/// equal bits among the few hundred members of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) member: i64,
    part: u64,
}

impl Digest {
    pub(super) fn of(secret: [u8; 16], key: &str, id: &EventId) -> Self {
        let mut hasher = SipHasher13::new_with_key(&secret);
        hasher.write(key.as_bytes());
        // No key has this byte: it is not UTF-8.
        hasher.write(&[0xff]);
        hasher.write(id.as_str().as_bytes());
        let hash = hasher.finish128();
        Self {
            member: hash.h1.cast_signed(),
            part: hash.h2,
        }
    }

    pub(super) fn part(self, generation: &Generation) -> u64 {
        self.part % generation.parts
    }
}

/// Sets that were opened together and expire together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) parts: u64,
    /// When all its parts expire. Ids are added while this is at least the `dedup_ttl` away.
    pub(super) expires: Millis,
}

/// The generations of a bucket, the newest first; ids are added to that one, and looked up in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generations {
    list: Vec<Generation>,
    text: String,
}

impl Generations {
    fn new(list: Vec<Generation>) -> Self {
        let mut text = String::new();
        for generation in &list {
            let Generation {
                number,
                parts,
                expires,
            } = generation;
            let separator = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{separator}{number}:{parts}:{expires}");
        }
        Self { list, text }
    }

    pub(super) fn first(now: Millis, ttl: Millis) -> Self {
        Self::new(vec![Generation {
            number: 1,
            parts: FIRST_PARTS,
            expires: expiry(now, ttl),
        }])
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let generation = |text: &str| {
            let mut numbers = text.split(':').map(str::parse::<u64>);
            Some(Generation {
                number: numbers.next()?.ok()?,
                parts: numbers.next()?.ok().filter(|parts| *parts > 0)?,
                expires: numbers.next()?.ok()?,
            })
        };
        let list: Option<Vec<Generation>> = text.split(',').map(generation).collect();
        list.map(Self::new).ok_or_else(|| {
            StoreError::refused(format!(
                "Redis has `{text}` for the generations of remembered ids, which this version does not understand"
            ))
        })
    }

    /// As the script compares and keeps it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Those that have not expired at that time.
    pub(super) fn alive(&self, now: Millis) -> impl Iterator<Item = &Generation> {
        self.list
            .iter()
            .filter(move |generation| generation.expires > now)
    }

    pub(super) fn newest(&self) -> &Generation {
        &self.list[0]
    }

    /// With a newer one, and without those that have expired.
    pub(super) fn next(&self, now: Millis, ttl: Millis, parts: u64) -> Self {
        let newest = Generation {
            number: self.newest().number + 1,
            parts: parts.clamp(FIRST_PARTS, MOST_PARTS),
            expires: expiry(now, ttl),
        };
        let older = self.list.iter().filter(|old| old.expires > now).copied();
        Self::new([newest].into_iter().chain(older).collect())
    }
}

/// A generation takes ids for one `ttl`, and remembers the last of them for another.
fn expiry(now: Millis, ttl: Millis) -> Millis {
    now.saturating_add(ttl.saturating_mul(2))
        .min(super::wire::LARGEST)
}

/// How many parts the next generation needs where these were found in some parts of one with so many.
pub(super) fn parts_for(parts: u64, counts: &[u64]) -> u64 {
    let sampled = u64::try_from(counts.len()).unwrap_or(u64::MAX).max(1);
    let members = counts.iter().sum::<u64>().saturating_mul(parts) / sampled;
    (members / MEMBERS).max(1).next_power_of_two()
}

/// How many parts follow a generation of which one part has so many members; `None` while it is not full.
pub(super) fn grown(parts: u64, count: u64) -> Option<u64> {
    (count > MOST_MEMBERS).then(|| parts.saturating_mul(GROWTH).min(MOST_PARTS))
}
