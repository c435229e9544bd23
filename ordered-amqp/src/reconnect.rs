use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use lapin::Event;
use ordered_core::transport::{ConsumeOptions, TransportError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::broker::Broker;
use crate::failure::is_login_refusal;
use crate::leader::{self, Leaderless};
use crate::rebalance::rebalance;
use crate::session::Session;
use crate::shared::Shared;

/// How long acknowledgements behind a hole are kept back, at least; at most twice as long.
const KEEP: Duration = Duration::from_millis(250);
/// How often it is looked meanwhile whether the worker waits for them. Under load, it settles more often than that.
const LOOKS: u32 = 25;
/// How long those that could go wait for more to go with them.
const GATHER: Duration = Duration::from_millis(5);
/// A session that lived this long was a good one: the next attempt comes without delay.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// How long an ended session may take to take leave of its broker.
const FAREWELL: Duration = Duration::from_secs(2);

/// Keeps a session alive until the transport closes: watches it, and opens another when it has ended.
///
/// A task of its own, because futures of `receive` are dropped at will, and reconnecting takes longer than they live.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    options: ConsumeOptions,
    first: Arc<Session>,
) -> JoinHandle<()> {
    tokio::spawn(keep_connected(shared, options, first))
}

async fn keep_connected(shared: Arc<Shared>, options: ConsumeOptions, first: Arc<Session>) {
    let mut backoff = shared.broker.backoff();
    let mut session = first;
    loop {
        shared.session.send_replace(Some(Arc::clone(&session)));
        shared.consumes();
        let opened = Instant::now();
        let reason = tokio::select! {
            reason = watch(&session, &shared) => reason,
            () = shared.closing() => return,
        };
        let last_token = session.retire();
        shared.session.send_replace(None);
        shared.interrupted(&reason);
        tracing::warn!(address = %shared.broker.address, reason, "consuming has stopped; reconnecting");
        if opened.elapsed() >= GOOD_LIFE {
            backoff.reset();
        }
        // Whatever is still up of the connection, the broker is to take back what was out on it.
        let _ = timeout(FAREWELL, session.close()).await;
        drop(session);
        let mut leaderless = Leaderless::default();
        let mut refusals = Refusals::of(&shared.broker);
        session = loop {
            let opened = tokio::select! {
                opened = shared.open(options, last_token) => opened,
                () = shared.closing() => return,
            };
            match opened {
                Ok(session) => break Arc::new(session),
                Err(error) => {
                    let pause = match refusals.pause(&error, backoff.next()) {
                        Ok(pause) => pause,
                        Err(why) => return shared.fail(why),
                    };
                    shared.interrupted(&error.to_string());
                    tracing::warn!(%error, ?pause, "still not consuming");
                    if leaderless.is_to_be_told(&error) {
                        let queue = shared.topology.places.queue.as_str();
                        let advice = leader::advice(queue, &shared.broker.address);
                        tracing::error!(queue, advice, "the queue stays without a leader");
                    }
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = shared.closing() => return,
                    }
                }
            }
        };
        tracing::info!(address = %shared.broker.address, "consuming again");
    }
}

/// How long the login has been refused without a break.
struct Refusals {
    longest: Duration,
    since: Option<Instant>,
}

impl Refusals {
    fn of(broker: &Broker) -> Self {
        Self {
            longest: broker.refused_for,
            since: None,
        }
    }

    /// How long to wait before the next attempt, of this long at most, or that there is none.
    fn pause(&mut self, error: &TransportError, most: Duration) -> Result<Duration, String> {
        if !is_login_refusal(error) {
            self.since = None;
            return Ok(most);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = self.longest.saturating_sub(since.elapsed());
        if left.is_zero() {
            let longest = self.longest;
            return Err(format!(
                "{error}. It has refused for {longest:?} (setting `refused_for`)"
            ));
        }
        Ok(most.min(left))
    }
}

/// Until the session has ended, sends the acknowledgements that have waited, and hands over partitions that are too
/// many.
async fn watch(session: &Session, shared: &Shared) -> String {
    let events = session.connection().events_listener();
    tokio::select! {
        () = session.died() => "the consumer has ended".into(),
        reason = failure(events) => {
            session.die();
            reason
        }
        never = send_ready(session) => match never {},
        never = send_kept(session) => match never {},
        never = rebalance(session, shared) => match never {},
    }
}

async fn send_ready(session: &Session) -> Infallible {
    loop {
        session.acks_are_ready().await;
        sleep(GATHER).await;
        session.send_ready();
    }
}

async fn send_kept(session: &Session) -> Infallible {
    loop {
        session.acks_are_kept().await;
        for _ in 0..LOOKS {
            sleep(KEEP / LOOKS).await;
            session.send_stalled();
        }
        session.send_overdue();
    }
}

/// Resolves when the connection has failed, also while nobody receives, and says why.
async fn failure(events: impl Stream<Item = Event>) -> String {
    tokio::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::Error(error) => return error.to_string(),
            Event::ConnectionBlocked(reason) => {
                tracing::warn!(reason, "RabbitMQ is short of resources")
            }
            Event::ConnectionUnblocked => tracing::info!("RabbitMQ has recovered"),
            _ => {}
        }
    }
    std::future::pending().await
}
