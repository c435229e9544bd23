//! The keys and the ids that a portion speaks of: they are sent once each, and after that named by their place, from 1.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use bytes::Bytes;

use crate::ids;
use crate::pack::Packer;

/// Looked at for each command; seeded, because keys and ids come from outside.
type Known<T, V> = HashMap<T, V, foldhash::quality::RandomState>;

fn known<T, V>(room: usize) -> Known<T, V> {
    HashMap::with_capacity_and_hasher(room, foldhash::quality::RandomState::default())
}

/// What is known of this text; what is new is made, with its place.
fn look_up<T: Eq + Hash, V: Copy>(
    known: &mut Known<T, V>,
    text: T,
    make: impl FnOnce(u32) -> V,
) -> V {
    let next = count(known) + 1;
    match known.entry(text) {
        Entry::Occupied(known) => *known.get(),
        Entry::Vacant(fresh) => *fresh.insert(make(next)),
    }
}

fn count<T, V>(known: &Known<T, V>) -> u32 {
    u32::try_from(known.len()).expect("a portion is small")
}

#[derive(Debug)]
pub(super) struct Keys<'a> {
    places: Known<&'a str, u32>,
    texts: Packer,
}

impl<'a> Keys<'a> {
    pub(super) fn with_room(commands: usize) -> Self {
        Self {
            places: known(commands),
            texts: Packer::with_room(commands * 16),
        }
    }

    pub(super) fn place(&mut self, key: &'a str) -> u32 {
        let Self { places, texts } = self;
        look_up(places, key, |place| {
            texts.text(key);
            place
        })
    }

    pub(super) fn finish(mut self) -> Bytes {
        self.texts.finish()
    }
}

/// An id that is among those of the portion; all zero stands for none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Id {
    pub(super) place: u32,
    /// What [`ids::number`] makes of it.
    pub(super) number: u32,
    /// Where it stands among the texts.
    end: usize,
    length: usize,
}

/// The ids, and what is said of each beside it.
#[derive(Debug)]
pub(super) struct Ids<'a> {
    ids: Known<(u32, &'a str), Id>,
    texts: Packer,
    /// The places of their keys.
    owners: Packer,
    numbers: Packer,
    /// Of those that are to be looked up.
    prints: Packer,
    /// How many that is, the first of them; not known yet while they are written.
    looked_up: Option<u32>,
    scratch: Vec<u8>,
}

impl<'a> Ids<'a> {
    pub(super) fn with_room(commands: usize) -> Self {
        Self {
            ids: known(commands),
            texts: Packer::with_room(commands * 24),
            owners: Packer::with_room(commands * 3),
            numbers: Packer::with_room(commands * 5),
            prints: Packer::with_room(commands * 5),
            looked_up: None,
            scratch: Vec::new(),
        }
    }

    /// The id of an event of this key, which is the owner.
    pub(super) fn id(&mut self, owner: u32, key: &str, id: &'a str) -> Id {
        let Self {
            ids,
            texts,
            owners,
            numbers,
            prints,
            looked_up,
            scratch,
        } = self;
        look_up(ids, (owner, id), |place| {
            let number = ids::number(key, id);
            scratch.clear();
            ids::write(number, id, scratch);
            texts.bytes(scratch);
            owners.number(owner.into());
            numbers.number(number.into());
            if looked_up.is_none() {
                prints.bytes(&ids::print(number));
            }
            Id {
                place,
                number,
                end: texts.as_slice().len(),
                length: scratch.len(),
            }
        })
    }

    /// What comes from now on need not be looked up.
    pub(super) fn end_lookups(&mut self) {
        self.looked_up = Some(count(&self.ids));
    }

    /// The id as it is written in Redis.
    pub(super) fn written(&self, id: Id) -> &[u8] {
        &self.texts.as_slice()[id.end - id.length..id.end]
    }

    pub(super) fn finish(self) -> Bytes {
        let (count, looked_up) = (count(&self.ids), self.looked_up.unwrap_or_default());
        let lists = [
            (count, self.texts),
            (count, self.owners),
            (count, self.numbers),
            (looked_up, self.prints),
        ];
        let room = |(_, list): &(u32, Packer)| list.as_slice().len() + 8;
        let mut out = Packer::with_room(lists.iter().map(room).sum());
        for (count, list) in lists {
            out.list(count).append(&list);
        }
        out.number(looked_up.into()).finish()
    }
}
