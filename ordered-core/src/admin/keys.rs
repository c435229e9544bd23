use std::collections::HashMap;

use super::{Admin, state_of, unreadable};
use crate::admin::{GroupView, KeyCounts, KeyFilter, KeyPage};
use crate::event::Key;
use crate::protocol::{CorruptBody, KeyState, Phase};
use crate::protocol::{KeyView, WorkerId};
use crate::store::{Group, StoreError};
use crate::store::{KeyIndex, Record};

impl Admin {
    /// The group as a whole. Looks at the keys that are not idle, page by page. Keys whose state cannot be read are
    /// counted among all, and nowhere else.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn overview(&self, group: &Group) -> Result<GroupView, StoreError> {
        let mut counts = KeyCounts::default();
        let mut dead_events = 0;
        let mut owned: HashMap<WorkerId, u64> = HashMap::new();
        // A key that is owned may be listed too: it is counted where it is owned.
        for index in [KeyIndex::Listed, KeyIndex::Owned] {
            let mut cursor = None;
            loop {
                let page = self.store.page(group, index, cursor).await?;
                for record in page.records {
                    match &record.owner {
                        Some(_) if index == KeyIndex::Listed => continue,
                        None if index == KeyIndex::Owned => continue,
                        Some(owner) => *owned.entry(owner.worker.clone()).or_default() += 1,
                        None => {}
                    }
                    if let Ok(state) = state_of(group, &record) {
                        count(&mut counts, &state);
                        dead_events += state.dead.values().map(|seqs| seqs.len()).sum::<u64>();
                    }
                }
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        let totals = self.store.totals(group).await?;
        let workers = self.workers_with(group, &owned).await?.workers;
        Ok(GroupView {
            name: group.name().to_owned(),
            order: group.policy().order,
            paused: totals.paused,
            keys: KeyCounts {
                all: totals.keys,
                active: owned.values().sum(),
                ..counts
            },
            held_events: totals.held_events,
            held_bytes: totals.held_bytes,
            dead_events,
            oldest_gap: totals
                .oldest_gap
                .map(|(key, since)| (key.to_string(), since)),
            workers,
            now: totals.now,
        })
    }

    /// Some of the keys that the filter lets through. Begin without a cursor, and go on with the page's until that is
    /// `None`. A key may be on two pages if it changes meanwhile. A key whose state cannot be read passes every filter:
    /// its phase is [`Admin::UNREADABLE`], and its trouble says why.
    ///
    /// # Errors
    /// When the store is unavailable, or the cursor is not one of its pages'.
    pub async fn keys(
        &self,
        group: &Group,
        filter: KeyFilter,
        cursor: Option<String>,
    ) -> Result<KeyPage, StoreError> {
        let index = match filter {
            KeyFilter::All => KeyIndex::All,
            KeyFilter::Stuck | KeyFilter::Kept => KeyIndex::Listed,
        };
        let page = self.store.page(group, index, cursor).await?;
        let paused = self.store.totals(group).await?.paused;
        let mut keys = Vec::new();
        for record in &page.records {
            match state_of(group, record) {
                Ok(state) if lets_through(filter, &state, paused) => {
                    keys.push(self.view(group, record, &state, paused).await?);
                }
                Ok(_) => {}
                Err(error) => keys.push(unreadable_view(record, &error, paused)),
            }
        }
        keys.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(KeyPage {
            keys,
            cursor: page.cursor,
        })
    }

    /// What is known of one key; `None` when nothing is.
    ///
    /// # Errors
    /// When the store is unavailable, or the state of the key cannot be read.
    pub async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError> {
        let Some(record) = self.store.read(group, key).await? else {
            return Ok(None);
        };
        let state = state_of(group, &record).map_err(|error| unreadable(key, &error))?;
        let paused = self.store.totals(group).await?.paused;
        self.view(group, &record, &state, paused).await.map(Some)
    }
}

fn lets_through(filter: KeyFilter, state: &KeyState, group_paused: bool) -> bool {
    match filter {
        KeyFilter::All => true,
        KeyFilter::Stuck => {
            let waits = state.paused.is_on() || group_paused && state.held_events() > 0;
            waits
                || state.phase != Phase::Open
                || state.gap_since.is_some()
                || !state.dead.is_empty()
        }
        KeyFilter::Kept => state.held_events() > 0 || !state.dead.is_empty(),
    }
}

fn unreadable_view(record: &Record, error: &CorruptBody, group_paused: bool) -> KeyView {
    let error = unreadable(&record.key, error).to_string();
    super::view::unreadable_view(record, error, group_paused)
}

fn count(counts: &mut KeyCounts, state: &KeyState) {
    counts.held += u64::from(state.held_events() > 0);
    counts.gap += u64::from(state.gap_since.is_some());
    counts.backing_off += u64::from(matches!(state.phase, Phase::BackingOff { .. }));
    counts.suspect += u64::from(state.is_suspect());
    counts.halted += u64::from(matches!(state.phase, Phase::Halted { .. }));
    counts.paused += u64::from(state.paused.is_on());
}
