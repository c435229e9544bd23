use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use lapin::Event;
use ordered_core::transport::Intake;
use tokio::time::{Instant, sleep, timeout};

use crate::leader::{self, Leaderless};
use crate::session::Session;
use crate::shared::Shared;

/// How long acknowledgements behind a hole are kept back, at least; at most twice as long.
const KEEP: Duration = Duration::from_millis(250);
/// How long those that could go wait for more to go with them.
const GATHER: Duration = Duration::from_millis(5);
/// A session that lived this long was a good one: the next attempt comes without delay.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// How long an ended session may take to take leave of its broker.
const FAREWELL: Duration = Duration::from_secs(2);

/// Keeps a session alive until the transport closes: watches it, and opens another when it has ended.
///
/// A task of its own, because futures of `receive` are dropped at will, and reconnecting takes longer than they live.
pub(crate) async fn drive(shared: Arc<Shared>, intake: Intake, first: Arc<Session>) {
    let mut backoff = shared.broker.backoff();
    let mut session = first;
    loop {
        shared.session.send_replace(Some(Arc::clone(&session)));
        let opened = Instant::now();
        tokio::select! {
            () = watch(&session) => {}
            () = shared.closing() => return,
        }
        let last_token = session.retire();
        shared.session.send_replace(None);
        tracing::warn!(address = %shared.broker.address, "consuming has stopped; reconnecting");
        if opened.elapsed() >= GOOD_LIFE {
            backoff.reset();
        }
        // Whatever is still up of the connection, the broker is to take back what was out on it.
        let _ = timeout(FAREWELL, session.close()).await;
        drop(session);
        let mut leaderless = Leaderless::default();
        session = loop {
            let opened = tokio::select! {
                opened = shared.open(intake, last_token) => opened,
                () = shared.closing() => return,
            };
            match opened {
                Ok(session) => break Arc::new(session),
                Err(error) => {
                    let pause = backoff.next();
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

/// Until the session has ended, sends the acknowledgements that have waited.
async fn watch(session: &Session) {
    let events = session.connection().events_listener();
    let ready = async {
        loop {
            session.acks_are_ready().await;
            sleep(GATHER).await;
            session.send_ready();
        }
    };
    let kept = async {
        loop {
            session.acks_are_kept().await;
            sleep(KEEP).await;
            session.send_overdue();
        }
    };
    tokio::select! {
        () = session.died() => {}
        () = failure(events) => session.die(),
        () = ready => {}
        () = kept => {}
    }
}

/// Resolves when the connection has failed, also while nobody receives.
async fn failure(events: impl Stream<Item = Event>) {
    tokio::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::Error(error) => {
                tracing::debug!(%error, "the connection failed");
                return;
            }
            Event::ConnectionBlocked(reason) => {
                tracing::warn!(reason, "RabbitMQ is short of resources")
            }
            Event::ConnectionUnblocked => tracing::info!("RabbitMQ has recovered"),
            _ => {}
        }
    }
    std::future::pending().await
}
