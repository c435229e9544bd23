use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use crate::context::Context;
use crate::settled_offsets::SettledOffsets;
use crate::unsettled::{Offsets, UnsettledRecords};

/// The membership of a worker in its group: which partitions are its, and what is committed of them.
pub(crate) struct Group {
    pub(crate) context: Context,
    pub(crate) unsettled: Arc<UnsettledRecords>,
    pub(crate) topic: String,
    /// Where it is kept how far the group was.
    pub(crate) settled: Option<Arc<SettledOffsets>>,
    /// Held over a commit, which waits for the answer of the broker. So there is one at a time: one that is repeated
    /// inside of the client cannot overtake a later one and set an offset back, and none is under way when a partition
    /// is given up. Threads wait for it, none of them one of the runtime's.
    committing: Mutex<()>,
}

impl Group {
    pub(crate) fn new(
        context: Context,
        unsettled: Arc<UnsettledRecords>,
        topic: &str,
        settled: Option<Arc<SettledOffsets>>,
    ) -> Self {
        Self {
            context,
            unsettled,
            topic: topic.to_owned(),
            settled,
            committing: Mutex::default(),
        }
    }

    /// Commits what can be. Blocks until the broker has answered.
    pub(crate) fn commit(&self, consumer: &BaseConsumer<Self>) {
        let _commit = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: what was revoked before is not among it.
        let due = self.unsettled.to_commit();
        if due.is_empty() {
            return;
        }
        match self.send(consumer, &due) {
            Ok(()) => {
                self.context.answered();
                self.unsettled.committed(&due);
            }
            Err(error) => {
                debug!(topic = self.topic, %error, "a commit failed; the next one says it again")
            }
        }
    }

    /// Forgets partitions, and commits a last time what is settled of them, unless others have them already.
    pub(crate) fn give_up(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &[i32],
    ) -> KafkaResult<()> {
        let due = self.unsettled.revoke(partitions);
        // The commit that is under way ends first.
        let _commit = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if consumer.assignment_lost() {
            warn!(
                topic = self.topic,
                ?partitions,
                "the group went on without this worker, which did not answer in time: what it has not committed is \
                 delivered to others again"
            );
            return Ok(());
        }
        if due.is_empty() {
            return Ok(());
        }
        self.send(consumer, &due)?;
        self.unsettled.committed(&due);
        Ok(())
    }

    fn send(&self, consumer: &BaseConsumer<Self>, offsets: &Offsets) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        consumer.commit(&list, CommitMode::Sync)
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for Group {
    /// Called by the thread that polls, before the client changes what it reads.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let partitions = numbers(list);
                if !partitions.is_empty() {
                    info!(topic = self.topic, ?partitions, "reads these partitions");
                }
                let settled = self.settled.as_ref();
                let marks = settled.map(|settled| settled.read(&partitions));
                self.unsettled.assign(partitions);
                self.unsettled.set_marks(&marks.unwrap_or_default());
            }
            Rebalance::Revoke(list) => {
                let partitions = numbers(list);
                info!(topic = self.topic, ?partitions, "gives up these partitions");
                if let Err(error) = self.give_up(consumer, &partitions) {
                    warn!(
                        topic = self.topic,
                        ?partitions,
                        %error,
                        "could not commit what was settled last; it is delivered to others again"
                    );
                }
            }
            Rebalance::Error(error) => warn!(topic = self.topic, %error, "a rebalance failed"),
        }
    }
}

fn numbers(list: &TopicPartitionList) -> Vec<i32> {
    let elements = list.elements();
    elements.iter().map(|element| element.partition()).collect()
}
