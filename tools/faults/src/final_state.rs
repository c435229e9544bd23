//! The end of a run: when it has come, and what the store and the broker have then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::core::admin::{Admin, StoredKind};
use ordered_events::core::protocol::Policy;
use ordered_events::core::store::{
    Acquire, AcquireMode, Answer, Group, Inspect, Request, Save, Session,
};
use ordered_events::core::transport::{ConsumeOptions, Transport};
use ordered_events::{Amqp, EventId, Kafka, Key, RedisStore, Store, WorkerId};
use ordered_testkit::history::{Event, What};
use tokio::time::{sleep, timeout};

use crate::Error;
use crate::environment::Environment;
use crate::fault::Broker;
use crate::order::{OrderEvent, seq_of};
use crate::orders::Sequencing;
use crate::report::Observations;
use crate::worker::BUCKETS;

/// How long the suite may own a key, to look at it.
const LEASE: Duration = Duration::from_secs(60);

/// What the store remembers where only ids say what is done.
struct Ids {
    /// Events that have committed, and whose worker was killed before it could write that down.
    without_a_line: Vec<Event>,
    /// One event for each place has committed.
    are_all: bool,
}

/// Looks at the store beside the workers.
pub(crate) struct FinalState<'a> {
    environment: &'a Environment<'a>,
    sequencing: Sequencing,
    group: Group,
    store: Arc<RedisStore>,
    admin: Admin,
}

impl<'a> FinalState<'a> {
    pub(crate) async fn open(
        environment: &'a Environment<'a>,
        sequencing: Sequencing,
    ) -> Result<Self, Error> {
        let store = RedisStore::builder(environment.servers.redis_address()).buckets(BUCKETS);
        let store = Arc::new(store.connect().await?);
        let name = &environment.names.group;
        let opened = store.group(name).await?;
        Ok(Self {
            environment,
            sequencing,
            // As the workers have opened it, if the store still knows that.
            group: opened.unwrap_or_else(|| Group::new(name, Policy::default())),
            admin: Admin::new(store.clone()),
            store,
        })
    }

    /// Until everything is published, every event is done, and the broker has nothing left.
    pub(crate) async fn wait_for(&self) -> Result<(), Error> {
        let is_counted = self.sequencing.is_counted();
        let mut behind = self.environment.producer.last_seqs();
        behind.retain(|_, _| is_counted);
        loop {
            if self.environment.producer.is_done() {
                let mut still = BTreeMap::new();
                for (key, last) in behind {
                    if self.standing(key).await? < last {
                        still.insert(key, last);
                    }
                }
                behind = still;
                if behind.is_empty()
                    && self.is_empty().await?
                    && (is_counted || self.ids().await?.are_all)
                {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// How many producers the keys know, where they know any.
    pub(crate) async fn producers(&self) -> Result<usize, Error> {
        let mut producers = 0;
        for key in self.environment.producer.last_seqs().into_keys() {
            let view = self.admin.inspect(&self.group, &Key::new(key)?).await?;
            producers += view.map_or(0, |view| view.producers.len());
        }
        Ok(producers)
    }

    /// Whether the broker has nothing, and keeps having nothing for a moment.
    async fn is_empty(&self) -> Result<bool, Error> {
        for _ in 0..3 {
            if self
                .environment
                .queue
                .ready(self.environment.servers)
                .await?
                > 0
            {
                return Ok(false);
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(true)
    }

    async fn standing(&self, key: &str) -> Result<u64, Error> {
        let view = self.admin.inspect(&self.group, &Key::new(key)?).await?;
        Ok(view.map_or(0, |view| view.last_seq))
    }

    /// Asks the store for the ids of those events of which no line says that they have committed.
    async fn ids(&self) -> Result<Ids, Error> {
        let mut places: BTreeMap<(&str, u64), Vec<&OrderEvent>> = BTreeMap::new();
        for event in &self.environment.producer.events {
            let of_place = places.entry((&*event.order_id, event.seq)).or_default();
            of_place.push(event);
        }
        let has_line = |event: &&OrderEvent| self.environment.tail.has_committed(&event.event_id);
        places.retain(|_, events| !events.iter().any(has_line));
        let mut ids = Ids {
            without_a_line: Vec::new(),
            are_all: true,
        };
        if places.is_empty() {
            return Ok(ids);
        }
        let name = WorkerId::operator("faults", fastrand::u64(..));
        let session = self.store.open(&self.group, &name).await?.session;
        self.store.heartbeat(&self.group, &session, LEASE).await?;
        for events in places.values() {
            match self.remembered(&session, events).await? {
                Some(event) => ids.without_a_line.push(event.into()),
                None => ids.are_all = false,
            }
        }
        self.store.leave(&self.group, &session).await?;
        Ok(ids)
    }

    /// Which of these events, which claim one place, the store remembers; none where a worker has the key.
    async fn remembered<'e>(
        &self,
        session: &Session,
        events: &[&'e OrderEvent],
    ) -> Result<Option<&'e OrderEvent>, Error> {
        let key = Key::new(&*events[0].order_id)?;
        let ids = events.iter().map(|event| EventId::new(&*event.event_id));
        let acquire = Request::Acquire(Acquire {
            key: key.clone(),
            mode: AcquireMode::Ask,
            letters: Vec::new(),
            look_up: ids.collect::<Result<Vec<EventId>, _>>()?,
        });
        let answers = self
            .store
            .exchange(&self.group, session, &[acquire])
            .await?;
        let Some(Answer::Owned(owned)) = answers.answers.into_iter().next() else {
            return Ok(None);
        };
        let mut save = Save::new(key, owned.fence);
        save.release = true;
        let save = Request::Save(Box::new(save));
        self.store.exchange(&self.group, session, &[save]).await?;
        let mut seen = events.iter().zip(owned.seen);
        Ok(seen.find(|(_, seen)| *seen).map(|(event, _)| *event))
    }

    /// Writes down how far the store is and what was dead-lettered, which is the end of the history.
    pub(crate) async fn record(&self, observations: &mut Observations) -> Result<(), Error> {
        let Environment {
            tail,
            producer,
            fleet,
            journal,
            ..
        } = self.environment;
        for key in producer.last_seqs().into_keys() {
            if self.sequencing.is_counted() {
                let (last_seq, key) = (self.standing(key).await?, key.to_owned());
                journal.write(What::Standing { key, last_seq });
            }
            self.dead_letters_of_the_store(key).await?;
        }
        if !self.sequencing.is_counted() {
            for event in self.ids().await?.without_a_line {
                let worker = "one that was killed".to_owned();
                journal.write(What::Committed { event, worker });
            }
        }
        self.dead_letters_of_the_broker(observations).await?;
        observations.died = fleet
            .deaths
            .lock()
            .map(|deaths| deaths.clone())
            .unwrap_or_default();
        observations.refused = producer.refused();
        observations.delivered = producer.published();
        tail.catch_up()
    }

    /// Writes down the dead letters that the store has of a key: an event that was posted to a key of another worker
    /// cannot be dead-lettered with the broker any more.
    async fn dead_letters_of_the_store(&self, key: &str) -> Result<(), Error> {
        let (group, name) = (&self.group, Key::new(key)?);
        // What was posted last may not be looked at yet.
        let looked_at = async {
            while let Some(view) = self.admin.inspect(group, &name).await? {
                if view.held_events == 0 && view.claim.is_none() {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, Error>(())
        };
        timeout(Duration::from_secs(20), looked_at).await??;
        let mut after = None;
        loop {
            let page = self
                .admin
                .stored(group, &name, StoredKind::Dead, after)
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.place);
            for stored in page {
                let event = Event {
                    key: key.to_owned(),
                    seq: seq_of(&stored.id),
                    id: stored.id,
                };
                let reason = stored
                    .dead_letter
                    .map(|letter| letter.error)
                    .unwrap_or_default();
                let journal = &self.environment.journal;
                journal.write(What::DeadLettered { event, reason });
            }
        }
    }

    async fn dead_letters_of_the_broker(
        &self,
        observations: &mut Observations,
    ) -> Result<(), Error> {
        let Environment {
            names,
            queue,
            servers,
            journal,
            ..
        } = self.environment;
        let count = u64::from(queue.dead(servers).await?);
        let url = servers.transport(queue.broker).await?;
        let dead = format!("{}.dead", names.queue);
        let dead_letters: Arc<dyn Transport> = match queue.broker {
            Broker::Rabbit => {
                let amqp = Amqp::connect(url).queue(&dead);
                Arc::new(amqp.dead_letter_queue(&names.queue).await?)
            }
            Broker::Kafka => Arc::new(Kafka::connect(url).topic(&dead).await?),
        };
        let max_unsettled = usize::from(u16::MAX);
        dead_letters.start(ConsumeOptions { max_unsettled }).await?;
        let mut seen = 0;
        while seen < count {
            let letters = dead_letters.receive(1_000);
            let letters = timeout(Duration::from_secs(20), letters).await??;
            for letter in &letters {
                let headers = &letter.envelope.headers;
                let reason = headers.get("x-ordered-reason").cloned().unwrap_or_default();
                match OrderEvent::read(&letter.envelope) {
                    Some(event) => {
                        let event = Event::from(&event);
                        journal.write(What::DeadLettered { event, reason });
                    }
                    None => observations
                        .problems
                        .push("a dead letter that cannot be read".into()),
                }
            }
            seen += letters.len() as u64;
        }
        Ok(dead_letters.close().await?)
    }
}
