use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::failure::{self, ReadError};
use crate::group::Group;
use crate::link::Link;
use crate::record::Record;
use crate::settled_offsets::SettledOffsetsWriter;
use crate::unsettled::{Rewind, UnsettledRecords};

/// How long a poll waits for a record.
const POLL: Duration = Duration::from_millis(50);
/// How many records are handed on at a time: the first ones do not wait for all of them.
const BATCH: usize = 500;
/// How long there may be no room before partitions are paused. To pause throws away what the client has fetched ahead.
const GRACE: Duration = Duration::from_millis(50);
/// How long it waits between two polls while everything is paused, and for half of the room before it goes on with
/// less.
const PAUSED: Duration = Duration::from_millis(50);

/// How the poll_loop ended: `None` while it runs.
pub(crate) type Ended = Option<Result<(), String>>;

/// The thread that reads. It alone polls, pauses and takes part in rebalances, so that none of these meet.
pub(crate) struct PollLoop {
    link: Arc<Link>,
    consumer: Arc<BaseConsumer<Group>>,
    unsettled: Arc<UnsettledRecords>,
    /// How many partitions the topic had at the start.
    partitions: usize,
    /// There was no room for a while: nothing is read.
    is_full: bool,
    /// What the client was applied not to read. It stays paused in the client when it is given up, and when it is
    /// assigned again.
    paused: BTreeSet<i32>,
}

impl PollLoop {
    pub(crate) fn new(link: Arc<Link>, consumer: BaseConsumer<Group>, partitions: usize) -> Self {
        let unsettled = Arc::clone(&consumer.context().unsettled);
        Self {
            link,
            consumer: Arc::new(consumer),
            unsettled,
            partitions,
            is_full: false,
            paused: BTreeSet::new(),
        }
    }

    /// Starts the thread; the receiver hears of its end.
    pub(crate) fn start(self) -> std::io::Result<watch::Receiver<Ended>> {
        let (report_end, ended) = watch::channel(None);
        let builder = thread::Builder::new().name("ordered-kafka".into());
        builder.spawn(move || {
            let unsettled = Arc::clone(&self.unsettled);
            let ran = catch_unwind(AssertUnwindSafe(|| self.run()));
            let outcome =
                ran.unwrap_or_else(|_| Err("the thread of the consumer panicked".to_owned()));
            if let Err(why) = &outcome {
                // Nobody waits for records that will not come.
                unsettled.fail(format!("Kafka: the consumer has ended: {why}"));
            }
            report_end.send_replace(Some(outcome));
        })?;
        Ok(ended)
    }

    fn run(mut self) -> Result<(), String> {
        let (stop, stopped) = mpsc::channel::<()>();
        let committer = {
            let (consumer, interval) = (
                Arc::clone(&self.consumer),
                self.link.options.commit_interval,
            );
            thread::spawn(move || {
                // The sender is dropped when all is over.
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    consumer.context().commit(&consumer);
                }
            })
        };
        let interval = self.link.options.commit_interval;
        let settled = self.consumer.context().settled.clone();
        let writer = settled.map(|settled| {
            SettledOffsetsWriter::start(settled, Arc::clone(&self.unsettled), interval)
        });
        while !self.unsettled.is_closing() && self.unsettled.fatal().is_none() {
            self.poll_once();
        }
        drop(stop);
        let committed = committer.join();
        let all = self.unsettled.assigned();
        let given_up = self.consumer.context().give_up(&self.consumer, &all);
        if let Some(writer) = writer {
            // Whoever closes waits no longer than for an answer, for all of it.
            writer.stop(self.link.options.answer_within / 2);
        }
        // Leaves the group, with the last reference.
        drop(self.consumer);
        committed.map_err(|_| "the thread that commits panicked".to_owned())?;
        given_up.map_err(|error| error.to_string())
    }

    fn poll_once(&mut self) {
        let mut room = self.unsettled.room();
        let half = (self.unsettled.limits().unsettled / 2).max(1);
        if self.is_full {
            room = self.unsettled.wait_for_room(half, PAUSED);
            self.is_full = room == 0;
        } else if room == 0 {
            room = self.unsettled.wait_for_room(1, GRACE);
            self.is_full = room == 0;
        }
        self.pause_and_resume();
        // Also with everything paused: the poll is what keeps the membership.
        let (room, limit) = if room == 0 {
            (1, Duration::ZERO)
        } else {
            (room, POLL)
        };
        self.read(room, limit);
    }

    fn read(&mut self, room: usize, mut limit: Duration) {
        let mut records = Vec::new();
        while records.len() < room.min(BATCH) {
            match self.consumer.poll(limit) {
                // A poll takes part in rebalances too: which assignment this is of can be said only afterwards.
                Some(Ok(message)) => {
                    records.push((self.unsettled.last_assignment(), Record::read(&message)));
                }
                Some(Err(error)) => self.on_error(&error),
                None => break,
            }
            limit = Duration::ZERO;
        }
        if records.is_empty() {
            return;
        }
        self.consumer.context().context.answered();
        for rewind in self.unsettled.rewinds(&records) {
            self.on_rewind(rewind);
        }
        for partition in self.unsettled.arrive(records) {
            error!(
                topic = self.link.topic,
                partition,
                "the offsets of the partition went back, as after the loss of a broker or with a topic that was made \
                 anew: what is there is read from where it begins, and what was confirmed and is not there any more is \
                 a gap"
            );
        }
    }

    /// A partition is read from before what the group had settled: on purpose, or because the broker has other records
    /// there now.
    fn on_rewind(&self, rewind: Rewind) {
        let topic = &self.link.topic;
        let Rewind {
            partition,
            from,
            to,
        } = rewind;
        let limit = self.link.options.answer_within;
        match self.consumer.fetch_watermarks(topic, partition, limit) {
            Ok((_, end)) if end >= to => {
                info!(
                    topic,
                    partition,
                    from,
                    to,
                    "the offsets of the group were set back: what it reads before the offset `to` it had settled \
                     before; of these events those that are stale are acknowledged, and counted as `rewound`"
                );
                return;
            }
            Ok((_, end)) => warn!(
                topic,
                partition,
                end,
                settled = to,
                "the partition ends before what the group had settled of it: records were lost, or the topic was made \
                 anew; what is read of it is taken for new"
            ),
            Err(error) => warn!(
                topic,
                partition,
                %error,
                "the partition is read from before what the group had settled of it, and its end is not known: what is \
                 read of it is taken for new"
            ),
        }
        self.unsettled.discard_mark(partition);
    }

    /// Tells the client what not to read, as far as it does not know yet. What was given up while it was paused is
    /// resumed, so that it is read when it is assigned again.
    fn pause_and_resume(&mut self) {
        let wanted = if self.is_full {
            self.unsettled.assigned()
        } else {
            self.unsettled.overdue()
        };
        let wanted: BTreeSet<i32> = wanted.into_iter().collect();
        let pause: Vec<i32> = wanted.difference(&self.paused).copied().collect();
        let resume: Vec<i32> = self.paused.difference(&wanted).copied().collect();
        if !pause.is_empty() && self.apply(&pause, |consumer, list| consumer.pause(list)) {
            self.paused.extend(pause);
        }
        if !resume.is_empty() && self.apply(&resume, |consumer, list| consumer.resume(list)) {
            self.paused.retain(|partition| !resume.contains(partition));
        }
    }

    fn apply(
        &self,
        partitions: &[i32],
        what: impl FnOnce(&BaseConsumer<Group>, &TopicPartitionList) -> Result<(), KafkaError>,
    ) -> bool {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.link.topic, *partition);
        }
        let applied = what(&self.consumer, &list);
        if let Err(error) = &applied {
            // The next poll tries again.
            debug!(topic = self.link.topic, ?partitions, %error, "could not pause or resume");
        }
        applied.is_ok()
    }

    fn on_error(&self, error: &KafkaError) {
        let Link { topic, group, .. } = &*self.link;
        match failure::while_reading(topic, group, error) {
            ReadError::Fatal(why) => self.unsettled.fail(why),
            ReadError::LooksGone => self.look_again(error),
            ReadError::Passes if error.rdkafka_error_code() == Some(Code::PollExceeded) => warn!(
                topic,
                "this process stood still for longer than its group waits (max.poll.interval.ms), and joins it again"
            ),
            // The context has said it, where it is worth it.
            ReadError::Passes => debug!(topic, %error, "Kafka's client"),
        }
    }

    /// A broker that has just started, or that leads a partition no longer, may not know of it for a moment.
    fn look_again(&self, error: &KafkaError) {
        let topic = &self.link.topic;
        let limit = self.link.options.answer_within;
        let Ok(metadata) = self.consumer.fetch_metadata(Some(topic), limit) else {
            return;
        };
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let partitions = found.map_or(0, |found| found.partitions().len());
        if partitions == 0 {
            self.unsettled.fail(format!(
                "Kafka: the topic `{topic}` is gone: create it again ({error})"
            ));
        } else if partitions < self.partitions {
            self.unsettled.fail(format!(
                "Kafka: the topic `{topic}` had {} partitions and has {partitions}: it was deleted and made anew, so \
                 that its offsets are those of another topic; start the workers again once that is what is wanted \
                 ({error})",
                self.partitions
            ));
        }
    }
}
