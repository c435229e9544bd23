use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ordered_events::{Envelope, Publish};
use ordered_testkit::history::{Event, What};
use tokio::time::sleep;

use super::{Environment, Tail};
use crate::Error;
use crate::order::OrderEvent;

/// After so long without any effect what was in a deleted queue is published again.
const WITHOUT_EFFECT: Duration = Duration::from_secs(5);

/// The producer: it publishes until the broker has confirmed, and keeps a bounded backlog, so that faults meet it too.
pub(crate) struct Producer {
    pub(crate) events: Vec<OrderEvent>,
    /// What is published once behind all of them.
    behind: Vec<Envelope>,
    backlog: u64,
    /// How many events are published, and confirmed, at a time.
    batch: usize,
    published: AtomicUsize,
    /// What was published and has had no effect is published once more.
    again: AtomicBool,
    /// A queue was deleted: what is confirmed while it goes is gone, too, so that once more may not be enough.
    deleted: AtomicBool,
    /// What a deleted queue may have taken along has been published again after every key had come to its end: of a seq
    /// that two events claim, the one that is to be dead-lettered holds up nobody.
    rounded_off: AtomicBool,
    refused: AtomicU64,
    done: AtomicBool,
}

impl Producer {
    pub(crate) fn new(
        events: Vec<OrderEvent>,
        behind: Vec<Envelope>,
        backlog: u64,
        batch: usize,
    ) -> Self {
        Self {
            events,
            behind,
            backlog,
            batch,
            published: AtomicUsize::new(0),
            again: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            rounded_off: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            done: AtomicBool::new(false),
        }
    }

    /// A queue was deleted: what was in it has to come again.
    pub(crate) fn publish_again(&self) {
        self.deleted.store(true, Ordering::SeqCst);
        self.rounded_off.store(false, Ordering::SeqCst);
        self.again.store(true, Ordering::SeqCst);
        self.done.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_done(&self) -> bool {
        let is_whole = !self.is_deleted() || self.rounded_off.load(Ordering::SeqCst);
        is_whole && self.done.load(Ordering::SeqCst) && !self.again.load(Ordering::SeqCst)
    }

    fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    pub(crate) fn published(&self) -> usize {
        self.published.load(Ordering::SeqCst)
    }

    /// How often the broker did not take a batch, which was then published again.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    /// Publishes everything, and what has to come again, for as long as it is polled.
    pub(crate) async fn run(&self, environment: &Environment<'_>) -> Result<(), Error> {
        let Environment {
            tail,
            journal,
            queue,
            servers,
            ..
        } = environment;
        let mut partitions = queue.partitions();
        let mut publisher = queue.publisher(servers).await?;
        let end = self.end();
        let mut is_behind = false;
        loop {
            // Where it cannot be reached just now, the publisher for fewer of them still works.
            if queue.partitions() != partitions
                && let Ok(for_more) = queue.publisher(servers).await
            {
                (publisher, partitions) = (for_more, queue.partitions());
            }
            let silent = self.is_deleted() && tail.since_progress() > WITHOUT_EFFECT;
            if self.again.swap(false, Ordering::SeqCst) || silent {
                self.once_more(&publisher, tail).await;
            }
            let published = self.published();
            if published == self.events.len() {
                if !std::mem::replace(&mut is_behind, true) {
                    for some in self.behind.chunks(self.batch) {
                        self.send(&publisher, some.to_vec()).await;
                    }
                }
                let to_round_off = self.is_deleted() && !self.rounded_off.load(Ordering::SeqCst);
                if to_round_off && tail.progress() == end {
                    self.once_more(&publisher, tail).await;
                    self.rounded_off.store(true, Ordering::SeqCst);
                }
                self.done.store(true, Ordering::SeqCst);
                sleep(Duration::from_millis(50)).await;
            } else if published as u64 > tail.progress() + self.backlog {
                sleep(Duration::from_millis(5)).await;
            } else {
                let end = (published + self.batch).min(self.events.len());
                let batch = &self.events[published..end];
                // Before it is published: a worker may be quicker than the confirm.
                for sent in batch {
                    let event = Event::from(sent);
                    if !sent.follows.is_empty() {
                        let seqs = sent.follows.clone();
                        let event = event.clone();
                        journal.write(What::Follows { event, seqs });
                    }
                    journal.write(What::Published { event });
                }
                self.publish(&publisher, batch).await;
                self.published.store(end, Ordering::SeqCst);
            }
        }
    }

    /// The last seq of each key.
    pub(crate) fn last_seqs(&self) -> BTreeMap<&str, u64> {
        let mut last = BTreeMap::new();
        for event in &self.events {
            let last: &mut u64 = last.entry(&*event.order_id).or_default();
            *last = event.seq.max(*last);
        }
        last
    }

    /// The sum of the last seqs of all keys.
    pub(crate) fn end(&self) -> u64 {
        self.last_seqs().values().sum()
    }

    /// Publishes again what has not committed. Of a seq that two events claim that is also the one that was
    /// dead-lettered.
    async fn once_more(&self, publisher: &Arc<dyn Publish>, tail: &Tail) {
        let published = &self.events[..self.published()];
        let missing: Vec<OrderEvent> = published
            .iter()
            .filter(|event| !tail.has_committed(&event.event_id))
            .cloned()
            .collect();
        tracing::info!(
            events = missing.len(),
            "what was lost with the queue is published once more"
        );
        for batch in missing.chunks(self.batch) {
            self.publish(publisher, batch).await;
        }
    }

    async fn publish(&self, publisher: &Arc<dyn Publish>, batch: &[OrderEvent]) {
        let envelopes = batch.iter().flat_map(OrderEvent::envelopes);
        self.send(publisher, envelopes.collect()).await;
    }

    async fn send(&self, publisher: &Arc<dyn Publish>, envelopes: Vec<Envelope>) {
        while let Err(error) = publisher.publish(envelopes.clone()).await {
            tracing::info!(%error, "the broker did not take a batch");
            self.refused.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(200)).await;
        }
    }
}
