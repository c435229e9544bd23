use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::Key;
use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    Acquire, AcquireMode, Answer, AuditEntry, Change, Exchange, Group, Heartbeat, Inspect,
    KeyIndex, Letter, MemoryStore, Opened, Posted, Previous, PutMode, Record, RecordPage, Request,
    Save, Session, Slot, Store, StoreError, Sweep, Swept, Totals, WorkerRecord,
};

/// A store in memory that makes one mistake.
pub(super) struct Planted {
    pub(super) store: MemoryStore,
    pub(super) mistake: Mistake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    NewNeedsNoRoom,
    ForceNeedsRoom,
    ReplaceKeeps,
    DeleteIsForgotten,
    MoveKeepsTheNote,
    BodyIsAlwaysSaved,
    ReleaseIsForgotten,
    IdsAreForgotten,
    OneMoreIsTaken,
    HalfOfTheListing,
    HandOverOnlyAsks,
    StealOnlyAsks,
    LastLetterIsLost,
    DeathIsNotTold,
    BodyFenceIsTheFence,
    KnownIsStored,
    ReleasedDespiteMail,
    LeaveIsForgotten,
    HeartbeatIsForgotten,
    OrphansAreForgotten,
    PauseIsForgotten,
    DeadLettersAreNotRead,
}

impl Mistake {
    pub(super) const ALL: [Self; 22] = [
        Self::NewNeedsNoRoom,
        Self::ForceNeedsRoom,
        Self::ReplaceKeeps,
        Self::DeleteIsForgotten,
        Self::MoveKeepsTheNote,
        Self::BodyIsAlwaysSaved,
        Self::ReleaseIsForgotten,
        Self::IdsAreForgotten,
        Self::OneMoreIsTaken,
        Self::HalfOfTheListing,
        Self::HandOverOnlyAsks,
        Self::StealOnlyAsks,
        Self::LastLetterIsLost,
        Self::DeathIsNotTold,
        Self::BodyFenceIsTheFence,
        Self::KnownIsStored,
        Self::ReleasedDespiteMail,
        Self::LeaveIsForgotten,
        Self::HeartbeatIsForgotten,
        Self::OrphansAreForgotten,
        Self::PauseIsForgotten,
        Self::DeadLettersAreNotRead,
    ];

    fn in_acquire(self, acquire: &mut Acquire) {
        match self {
            Self::HandOverOnlyAsks if acquire.mode == AcquireMode::HandOver => {
                acquire.mode = AcquireMode::Ask;
            }
            Self::StealOnlyAsks if acquire.mode == AcquireMode::Steal => {
                acquire.mode = AcquireMode::Ask;
            }
            Self::LastLetterIsLost if acquire.letters.len() > 1 => {
                acquire.letters.pop();
            }
            _ => {}
        }
    }

    fn in_save(self, save: &mut Save) {
        match self {
            Self::DeleteIsForgotten => {
                save.changes
                    .retain(|change| !matches!(change, Change::Delete(_)));
            }
            Self::BodyIsAlwaysSaved if save.body.is_none() => save.body = Some("".into()),
            Self::ReleaseIsForgotten => save.release = false,
            Self::IdsAreForgotten => save.remember.clear(),
            Self::OneMoreIsTaken => save.taken += 1,
            Self::HalfOfTheListing => save.listing.halted = None,
            _ => {}
        }
        for change in &mut save.changes {
            match (self, change) {
                (Self::NewNeedsNoRoom, Change::Put { mode, .. }) if *mode == PutMode::New => {
                    *mode = PutMode::Force;
                }
                (Self::ForceNeedsRoom, Change::Put { mode, .. }) if *mode == PutMode::Force => {
                    *mode = PutMode::New;
                }
                (Self::ReplaceKeeps, Change::Put { mode, .. }) if *mode == PutMode::Replace => {
                    *mode = PutMode::Force;
                }
                (Self::MoveKeepsTheNote, Change::Move { note, .. }) => *note = "note".into(),
                _ => {}
            }
        }
    }

    fn in_answer(self, answer: &mut Answer) {
        match (self, answer) {
            (Self::DeathIsNotTold, Answer::Owned(owned)) => {
                if let Previous::Died(worker) = &owned.previous {
                    owned.previous = Previous::Other(worker.clone());
                }
            }
            (Self::BodyFenceIsTheFence, Answer::Owned(owned)) => owned.body_fence = owned.fence,
            (Self::KnownIsStored, Answer::Busy(busy)) => {
                for posted in &mut busy.posted {
                    if *posted == Posted::Known {
                        *posted = Posted::Stored;
                    }
                }
            }
            (Self::ReleasedDespiteMail, Answer::Saved(saved)) => {
                saved.released |= !saved.mail.is_empty();
            }
            _ => {}
        }
    }
}

#[async_trait]
impl Store for Planted {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        self.store.open(group, worker).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        let mut requests = requests.to_vec();
        for request in &mut requests {
            match request {
                Request::Acquire(acquire) => self.mistake.in_acquire(acquire),
                Request::Save(save) => self.mistake.in_save(save),
            }
        }
        let mut exchange = self.store.exchange(group, session, &requests).await?;
        for answer in &mut exchange.answers {
            self.mistake.in_answer(answer);
        }
        Ok(exchange)
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        if self.mistake == Mistake::HeartbeatIsForgotten {
            let Exchange { now, paused, .. } = self.store.exchange(group, session, &[]).await?;
            return Ok(Heartbeat { now, paused });
        }
        self.store.heartbeat(group, session, lease).await
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        if self.mistake == Mistake::LeaveIsForgotten {
            return Ok(());
        }
        self.store.leave(group, session).await
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        let mut swept = self.store.sweep(group, session, sweep).await?;
        if self.mistake == Mistake::OrphansAreForgotten {
            swept.orphaned.clear();
        }
        Ok(swept)
    }
}

#[async_trait]
impl Inspect for Planted {
    async fn groups(&self) -> Result<Vec<String>, StoreError> {
        self.store.groups().await
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        self.store.group(name).await
    }

    async fn totals(&self, group: &Group) -> Result<Totals, StoreError> {
        self.store.totals(group).await
    }

    async fn workers(&self, group: &Group) -> Result<Vec<WorkerRecord>, StoreError> {
        self.store.workers(group).await
    }

    async fn read(&self, group: &Group, key: &Key) -> Result<Option<Record>, StoreError> {
        self.store.read(group, key).await
    }

    async fn page(
        &self,
        group: &Group,
        index: KeyIndex,
        cursor: Option<String>,
    ) -> Result<RecordPage, StoreError> {
        self.store.page(group, index, cursor).await
    }

    async fn sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        self.store.sizes(group, key, slots).await
    }

    async fn letters(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<Letter>>, StoreError> {
        let mut letters = self.store.letters(group, key, slots).await?;
        if self.mistake == Mistake::DeadLettersAreNotRead {
            for (slot, letter) in slots.iter().zip(&mut letters) {
                if matches!(slot, Slot::Dead { .. }) {
                    *letter = None;
                }
            }
        }
        Ok(letters)
    }

    async fn set_paused(&self, group: &Group, paused: bool) -> Result<bool, StoreError> {
        if self.mistake == Mistake::PauseIsForgotten {
            return Ok(true);
        }
        self.store.set_paused(group, paused).await
    }

    async fn log(&self, group: &Group, entry: AuditEntry) -> Result<(), StoreError> {
        self.store.log(group, entry).await
    }

    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit(group, limit).await
    }
}
