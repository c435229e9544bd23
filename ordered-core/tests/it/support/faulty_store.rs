use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordered_core::event::Key;
use ordered_core::store::{
    Answer, AuditEntry, Exchange, Group, Inspect, KeyIndex, Letter, MemoryStore, Record,
    RecordPage, Request, Session, Slot, Store, StoreError, Totals, WorkerRecord, WrapStore,
};

/// What happens to the next save of an operator.
pub(crate) enum Fault {
    /// It is carried out, and its answer is lost.
    LosesAnswer,
    /// It is not carried out, and the operator is not told.
    LosesSave,
    /// The requests of another worker come before it.
    Behind(Session, Vec<Request>),
    /// The store fails instead of writing to the audit log.
    NoLog,
}

/// The store in memory with small pages, and with faults.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    pub(crate) inner: MemoryStore,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl FaultyStore {
    const PAGE: usize = 2;

    pub(crate) fn new(inner: MemoryStore) -> Self {
        let faults = Arc::default();
        Self { inner, faults }
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.faults.lock().unwrap().push(fault);
    }

    fn next_fault(&self, applies: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let first = faults.iter().position(applies)?;
        Some(faults.remove(first))
    }
}

#[async_trait]
impl WrapStore for FaultyStore {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.inner
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        let are_saves = matches!(requests, [Request::Save(_), ..]);
        let is_save = are_saves && session.worker.is_operator();
        let fault = if is_save {
            self.next_fault(|fault| !matches!(fault, Fault::NoLog))
        } else {
            None
        };
        match fault {
            Some(Fault::LosesAnswer) => {
                let mut exchange = self.inner.exchange(group, session, requests).await?;
                exchange.answers.fill(Answer::Unknown);
                Ok(exchange)
            }
            Some(Fault::LosesSave) => Err(StoreError::unavailable("the connection broke")),
            Some(Fault::Behind(other, before)) => {
                for request in before {
                    let requests = [request];
                    self.inner.exchange(group, &other, &requests).await?;
                }
                self.inner.exchange(group, session, requests).await
            }
            Some(Fault::NoLog) | None => self.inner.exchange(group, session, requests).await,
        }
    }
}

#[async_trait]
impl Inspect for FaultyStore {
    async fn groups(&self) -> Result<Vec<String>, StoreError> {
        self.inner.groups().await
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        self.inner.group(name).await
    }

    async fn totals(&self, group: &Group) -> Result<Totals, StoreError> {
        self.inner.totals(group).await
    }

    async fn workers(&self, group: &Group) -> Result<Vec<WorkerRecord>, StoreError> {
        self.inner.workers(group).await
    }

    async fn read(&self, group: &Group, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.read(group, key).await
    }

    async fn page(
        &self,
        group: &Group,
        index: KeyIndex,
        cursor: Option<String>,
    ) -> Result<RecordPage, StoreError> {
        let RecordPage { records, .. } = self.inner.page(group, index, None).await?;
        let begin = cursor.map_or(0, |cursor| cursor.parse().expect("it is one of ours"));
        let end = begin + Self::PAGE;
        Ok(RecordPage {
            cursor: (end < records.len()).then(|| end.to_string()),
            records: records.into_iter().skip(begin).take(Self::PAGE).collect(),
        })
    }

    async fn sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        self.inner.sizes(group, key, slots).await
    }

    async fn letters(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<Letter>>, StoreError> {
        self.inner.letters(group, key, slots).await
    }

    async fn set_paused(&self, group: &Group, paused: bool) -> Result<bool, StoreError> {
        self.inner.set_paused(group, paused).await
    }

    async fn log(&self, group: &Group, entry: AuditEntry) -> Result<(), StoreError> {
        match self.next_fault(|fault| matches!(fault, Fault::NoLog)) {
            Some(_) => Err(StoreError::unavailable("the connection broke")),
            None => self.inner.log(group, entry).await,
        }
    }

    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.inner.audit(group, limit).await
    }
}
