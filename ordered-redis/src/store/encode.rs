//! The call that carries out the requests to the keys of one bucket.

use std::sync::Arc;

use ordered_core::store::{Acquire, AcquireMode, Request, Save, Session, Slot};
use ordered_core::store::{Group, StoreError};
use redis::Cmd;

use super::ids::{Digest, Generation, Generations};
use super::mailbox::MailboxChange;
use super::script::EXCHANGE;
use super::session::{BucketState, GroupState};
use super::wire::{self, NUMBER, put_count};

/// Some requests, all to keys of one bucket.
#[derive(Debug)]
pub(super) struct Portion<'a> {
    pub(super) bucket: usize,
    /// Their places in the batch, with the acquisitions apart from the saves.
    pub(super) acquires: Vec<(usize, &'a Acquire)>,
    pub(super) saves: Vec<(usize, &'a Save)>,
    /// Redis has no memory left: only what frees some, or takes next to none, is carried out.
    pub(super) frees: bool,
}

/// What does not depend on the bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) group: &'a Group,
    pub(super) session: &'a Session,
    pub(super) state: &'a GroupState,
    /// Of the worker's calls, this one.
    pub(super) number: u64,
    /// The time that a test gives; 0 for the server's.
    pub(super) given_time: u64,
}

/// A call, and what its answer is read with.
pub(super) struct Encoded {
    pub(super) command: Cmd,
    /// The mailboxes that it changes or reads: for each, the place among acquisitions and saves.
    pub(super) boxes: Vec<usize>,
    pub(super) generations: Arc<Generations>,
    /// For each id to remember, its save, and its part in the newest generation.
    pub(super) added: Vec<(usize, u64)>,
}

impl<'a> Portion<'a> {
    pub(super) fn new(bucket: usize) -> Self {
        Self {
            bucket,
            acquires: Vec::new(),
            saves: Vec::new(),
            frees: false,
        }
    }

    pub(super) fn push(&mut self, place: usize, request: &'a Request) {
        match request {
            Request::Acquire(acquire) => self.acquires.push((place, acquire)),
            Request::Save(save) => self.saves.push((place, save)),
        }
    }

    /// The places of those that use a mailbox, in the order of the batch: so they share what is left of a quota.
    fn boxes(&self) -> Vec<usize> {
        let posting = self.acquires.iter().enumerate();
        let posting = posting.filter(|(_, (_, acquire))| !acquire.letters.is_empty());
        let posting = posting.map(|(at, (place, _))| (*place, at));
        let using = self.saves.iter().enumerate();
        let using =
            using.filter(|(_, (_, save))| !save.changes.is_empty() || !save.fetch.is_empty());
        let using = using.map(|(at, (place, _))| (*place, self.acquires.len() + at));
        let mut boxes: Vec<(usize, usize)> = posting.chain(using).collect();
        boxes.sort_unstable();
        boxes.into_iter().map(|(_, at)| at).collect()
    }

    pub(super) fn encode(&self, context: &Context<'_>) -> Result<Encoded, StoreError> {
        let bucket = &context.state.buckets[self.bucket];
        let boxes = self.boxes();
        let digests = self.digests(context.state.secret);
        let (generations, added, marks) = self.marks(bucket, &digests);
        // By its own time, the server has removed those that expired.
        let looked_at: Vec<&Generation> = generations.alive(context.given_time).collect();
        let keys = boxes.len() + digests.look_ups.len() * looked_at.len() + digests.members.len();
        let payload = self
            .saves
            .iter()
            .map(|(_, save)| save.body.as_ref().map_or(0, bytes::Bytes::len));
        let requests = self.acquires.len() + self.saves.len();
        let bytes =
            keys * (bucket.tag.len() + 16) + requests * 64 + payload.sum::<usize>() + 2 * keys * 24;
        let mut command = EXCHANGE.call(&bucket.tag, keys, 16 + 4 * requests + 2 * keys, bytes);
        self.keys(
            &mut command,
            bucket,
            &boxes,
            &digests,
            &looked_at,
            generations.newest(),
        );
        self.header(
            &mut command,
            context,
            &boxes,
            &digests,
            looked_at.len(),
            &generations,
        );
        command.arg(marks);
        for (_, acquire) in &self.acquires {
            command.arg(acquire.key.as_str());
        }
        for (_, save) in &self.saves {
            command.arg(save.key.as_str());
        }
        self.bodies(&mut command, context.session);
        for digest in digests.look_ups.iter().chain(&digests.members) {
            command.arg(itoa::Buffer::new().format(digest.member).as_bytes());
        }
        self.boxes_into(&mut command, &boxes)?;
        self.listings(&mut command);
        Ok(Encoded {
            command,
            boxes,
            generations,
            added,
        })
    }

    fn digests(&self, secret: [u8; 16]) -> Digests {
        let mut digests = Digests::default();
        for (_, acquire) in &self.acquires {
            let key = acquire.key.as_str();
            let look_ups = acquire.look_up.iter();
            digests
                .look_ups
                .extend(look_ups.map(|id| Digest::of(secret, key, id)));
        }
        for (_, save) in &self.saves {
            let key = save.key.as_str();
            let look_ups = save.look_up.iter();
            digests
                .look_ups
                .extend(look_ups.map(|id| Digest::of(secret, key, id)));
            let members = save.remember.iter();
            digests
                .members
                .extend(members.map(|id| Digest::of(secret, key, id)));
        }
        digests
    }

    /// For each id to remember, its save, and whether its part needs an expiry.
    fn marks(
        &self,
        bucket: &BucketState,
        digests: &Digests,
    ) -> (Arc<Generations>, Vec<(usize, u64)>, Vec<u8>) {
        let ids = bucket.ids();
        let generations = Arc::clone(&ids.generations);
        let mut marks = Vec::with_capacity(digests.members.len() * 5);
        let mut added = Vec::with_capacity(digests.members.len());
        let saves = self.saves.iter().enumerate();
        let saves = saves.flat_map(|(at, (_, save))| save.remember.iter().map(move |_| at));
        for (save, digest) in saves.zip(&digests.members) {
            let part = digest.part(generations.newest());
            put_count(&mut marks, save + 1);
            marks.push(u8::from(!ids.expires(part)));
            added.push((save, part));
        }
        (generations, added, marks)
    }

    fn keys(
        &self,
        command: &mut Cmd,
        bucket: &BucketState,
        boxes: &[usize],
        digests: &Digests,
        looked_at: &[&Generation],
        newest: &Generation,
    ) {
        let mut name = bucket.tag.clone();
        let start = name.len();
        let mut key = |parts: &[&str]| {
            name.truncate(start);
            parts.iter().for_each(|part| name.push_str(part));
            command.arg(name.as_bytes());
        };
        for at in boxes {
            key(&["B:", self.name(*at)]);
        }
        let mut part = |generation: &Generation, digest: &Digest| {
            let (mut number, mut part) = (itoa::Buffer::new(), itoa::Buffer::new());
            let part = part.format(digest.part(generation));
            key(&["I:", number.format(generation.number), ":", part]);
        };
        for digest in &digests.look_ups {
            looked_at
                .iter()
                .for_each(|generation| part(generation, digest));
        }
        for digest in &digests.members {
            part(newest, digest);
        }
    }

    fn name(&self, at: usize) -> &str {
        match at.checked_sub(self.acquires.len()) {
            None => self.acquires[at].1.key.as_str(),
            Some(save) => self.saves[save].1.key.as_str(),
        }
    }

    fn header(
        &self,
        command: &mut Cmd,
        context: &Context<'_>,
        boxes: &[usize],
        digests: &Digests,
        looked_at: usize,
        generations: &Generations,
    ) {
        let policy = context.group.policy();
        let buckets = u32::try_from(context.state.buckets.len()).unwrap_or(u32::MAX);
        let share = policy.group_quota.share(buckets);
        let listings = self.saves.iter().map(|(_, save)| {
            let change = save.listing;
            let changes = [change.due, change.gap, change.halted];
            changes.iter().flatten().count()
        });
        let mut numbers = Vec::with_capacity(8 * 4 + 6 * NUMBER);
        for count in [
            self.acquires.len(),
            self.saves.len(),
            boxes.len(),
            digests.look_ups.len(),
            digests.members.len(),
            looked_at,
            listings.sum(),
            usize::from(self.frees),
        ] {
            put_count(&mut numbers, count);
        }
        let expires = generations.newest().expires;
        for number in [
            policy.key_quota.events,
            policy.key_quota.bytes,
            share.events,
            share.bytes,
            expires.saturating_sub(millis(policy.dedup_ttl)),
            expires,
        ] {
            numbers.extend_from_slice(&wire::number(number));
        }
        let modes = self.acquires.iter().map(|(_, acquire)| mode(acquire.mode));
        let modes: Vec<u8> = modes.collect();
        let mut takings = Vec::with_capacity(5 * self.saves.len());
        for (_, save) in &self.saves {
            takings.push(if save.release { b'1' } else { b'0' });
            put_count(&mut takings, save.taken);
        }
        command
            .arg(context.state.incarnation_text())
            .arg(generations.text())
            .arg(context.session.worker.as_str())
            .arg(context.number)
            .arg(context.given_time)
            .arg(numbers)
            .arg(modes)
            .arg(takings);
    }

    fn bodies(&self, command: &mut Cmd, session: &Session) {
        let worker = session.worker.as_str().as_bytes();
        let mut claim = vec![0; NUMBER];
        claim.push(u8::try_from(worker.len()).unwrap_or(u8::MAX));
        claim.extend_from_slice(worker);
        for (_, save) in &self.saves {
            claim[..NUMBER].copy_from_slice(&wire::number(save.fence.0));
            command.arg(&claim[..]);
        }
        let mut record = Vec::new();
        for (_, save) in &self.saves {
            record.clear();
            if let Some(body) = &save.body {
                record.extend_from_slice(&wire::number(save.fence.0));
                record.extend_from_slice(body);
            }
            command.arg(&record[..]);
        }
    }

    fn boxes_into(&self, command: &mut Cmd, boxes: &[usize]) -> Result<(), StoreError> {
        for at in boxes {
            let mut mailbox = MailboxChange::default();
            let mut fetch: &[Slot] = &[];
            if let Some(save) = at.checked_sub(self.acquires.len()) {
                let save = self.saves[save].1;
                fetch = &save.fetch;
                for change in &save.changes {
                    mailbox.push(change)?;
                }
            } else {
                for (slot, letter) in &self.acquires[*at].1.letters {
                    mailbox.put(b'p', *slot, letter)?;
                }
            }
            mailbox.finish(command, at + 1, fetch);
        }
        Ok(())
    }

    fn listings(&self, command: &mut Cmd) {
        for (at, (_, save)) in self.saves.iter().enumerate() {
            let change = save.listing;
            for (list, score) in (1_u8..).zip([change.due, change.gap, change.halted]) {
                let Some(score) = score else { continue };
                let mut place = Vec::with_capacity(5);
                put_count(&mut place, at + 1);
                place.push(list);
                command.arg(place);
                match score {
                    Some(score) => command.arg(score.min(wire::LARGEST)),
                    None => command.arg(""),
                };
            }
        }
    }
}

/// The digests of all ids of a portion, in the order of its requests.
#[derive(Debug, Default)]
struct Digests {
    look_ups: Vec<Digest>,
    members: Vec<Digest>,
}

fn mode(mode: AcquireMode) -> u8 {
    match mode {
        AcquireMode::Ask => b'a',
        AcquireMode::HandOver => b'h',
        AcquireMode::Steal => b's',
    }
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    millis.min(wire::LARGEST)
}
