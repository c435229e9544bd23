use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};

use super::builder::Relay;
use super::heartbeat::{HasLeft, LeaseState};
use super::pump::Pump;
use super::{heartbeat, metrics, retention, shards};
use crate::error::{PostgresError, PostgresErrorKind};
use crate::migrate::check_tables;
use crate::outbox::CHANNEL;
use crate::pool::{Address, Connections, Listener};
use crate::status;

/// Two for the pump, one each for the heartbeat, the retention and the measuring.
const CONNECTIONS: usize = 5;
/// How often it is measured how much waits.
const MEASURE: Duration = Duration::from_secs(5);

pub(super) async fn run(
    relay: Relay,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send + '_>>,
) -> Result<(), PostgresError> {
    metrics::describe();
    let Relay {
        name,
        address,
        publisher,
        settings,
    } = relay;
    let pool = address.pool(CONNECTIONS)?;
    let begun = Instant::now();
    {
        let connection = pool.get().await?;
        check_tables(&connection).await?;
        check_server(&connection).await?;
        shards::heartbeat(&connection, &name, settings.lease).await?;
    }
    let (keeping, alive) = watch::channel(LeaseState {
        until: begun + settings.lease,
        lapses: 0,
    });
    let (stop, stopped) = watch::channel(false);
    let left = HasLeft::default();
    let wake = Arc::new(Notify::new());
    // They end with this future.
    let mut helpers = JoinSet::new();
    helpers.spawn(heartbeat::run(
        pool.clone(),
        Arc::clone(&name),
        settings.lease,
        keeping,
        Arc::clone(&left),
    ));
    helpers.spawn(measure(pool.clone()));
    helpers.spawn(retention::remove(pool.clone(), settings.retention));
    if settings.listen {
        helpers.spawn(listen(address, Arc::clone(&wake)));
    }
    let drain_timeout = settings.drain_timeout;
    let parts = (name, pool, publisher.0);
    let mut pump = Pump::new(parts, settings, (alive, left), (stopped, wake));
    let working = pump.run();
    tokio::pin!(working);
    tokio::select! {
        outcome = &mut working => return outcome,
        () = shutdown => {}
    }
    stop.send_replace(true);
    match timeout(drain_timeout, working).await {
        Ok(outcome) => outcome,
        Err(_) => {
            tracing::warn!(
                "the broker has not confirmed within {drain_timeout:?}; what is on its way is published again"
            );
            Ok(())
        }
    }
}

/// What cannot work although the tables are right.
async fn check_server(connection: &Object) -> Result<(), PostgresError> {
    let query = "select pg_is_in_recovery(), (select max(xid) from (select xid from ordered_relay_shards union all \
                 (select xid from ordered_outbox order by xid desc limit 1)) known) >= \
                 pg_snapshot_xmax(pg_current_snapshot())";
    let row = connection.query_typed_one(query, &[]).await?;
    if row.get(0) {
        let text = "the server is a replica: give the relay the address of the primary";
        return Err(PostgresError::new(PostgresErrorKind::ReadOnly, text));
    }
    if row.get::<_, Option<bool>>(1) == Some(true) {
        let text = "the tables come from another server, whose transactions had higher numbers, so nothing would be \
                    relayed: run `update ordered_outbox set xid = pg_current_xact_id(); update ordered_relay_shards \
                    set xid = '0', position = 0` in one transaction; what was relayed and is still there is then \
                    relayed again";
        return Err(PostgresError::new(PostgresErrorKind::Refused, text));
    }
    Ok(())
}

async fn measure(pool: Connections) {
    loop {
        let measured = async {
            let connection = pool.get().await?;
            status::pending(&connection).await
        };
        match measured.await {
            Ok(pending) => metrics::pending(
                pending.events,
                pending.oldest.map_or(0.0, |oldest| oldest.as_secs_f64()),
                pending
                    .oldest_transaction
                    .map_or(0.0, |transaction| transaction.open_for.as_secs_f64()),
            ),
            Err(error) => tracing::debug!(%error, "cannot measure the outbox"),
        }
        sleep(MEASURE).await;
    }
}

/// Wakes the relay at each notification, on a connection of its own. Without one the relay polls.
async fn listen(address: Address, wake: Arc<Notify>) {
    let waker = Waker(wake);
    loop {
        if let Err(error) = address.with_connection(&waker).await {
            tracing::warn!(%error, "cannot listen for new events; the relay polls");
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Listens, and wakes the relay.
struct Waker(Arc<Notify>);

impl Listener for Waker {
    async fn listen<S>(
        &self,
        client: Client,
        mut connection: Connection<Socket, S>,
    ) -> Result<(), PostgresError>
    where
        S: TlsStream + Unpin + Send,
    {
        let command = format!("listen {CHANNEL}");
        let listening = client.batch_execute(&command);
        tokio::pin!(listening);
        let mut asked = false;
        loop {
            tokio::select! {
                answer = &mut listening, if !asked => {
                    answer?;
                    asked = true;
                }
                message = poll_fn(|context| connection.poll_message(context)) => match message {
                    Some(Ok(AsyncMessage::Notification(_))) => self.0.notify_one(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Ok(()),
                }
            }
        }
    }
}
