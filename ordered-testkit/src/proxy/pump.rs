use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Flow;

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;
/// How many chunks are under way in one direction; a sender beyond that is held up, as by a full window.
const UNDER_WAY: usize = 64;

/// What came, and when.
type Piece = (Instant, io::Result<Vec<u8>>);

/// Carries one direction to its end, or to the error of either side.
pub(super) async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    flow: watch::Receiver<Flow>,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    // Reading goes on while what was read before is delayed: a delay is not a slower line.
    let (written, ()) = tokio::join!(write(to, receiver, flow), read(from, sender));
    written
}

/// Reads to the end; an error is a piece too, which arrives no sooner than what came before it.
async fn read(from: &mut (impl AsyncRead + Unpin), pieces: mpsc::Sender<Piece>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).await;
        let ends = !matches!(read, Ok(1..));
        let piece = read.map(|length| buffer[..length].to_vec());
        // Nobody takes it once the other side has failed.
        if pieces.send((Instant::now(), piece)).await.is_err() || ends {
            return;
        }
    }
}

async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    mut pieces: mpsc::Receiver<Piece>,
    mut flow: watch::Receiver<Flow>,
) -> io::Result<()> {
    while let Some((came, piece)) = pieces.recv().await {
        let delay = flow.borrow().delay;
        if !delay.is_zero() {
            sleep_until(came + delay).await;
        }
        // It fails when the proxy is gone, and all connections with it.
        let seen = flow.wait_for(|flow| !flow.blackhole).await;
        let rate = seen.ok().and_then(|flow| flow.bytes_per_second);
        let bytes = piece?;
        if bytes.is_empty() {
            break;
        }
        match rate {
            None => to.write_all(&bytes).await?,
            Some(rate) => trickle(to, &bytes, rate).await?,
        }
    }
    to.shutdown().await
}

/// Writes in steps of a twentieth of a second.
async fn trickle(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], rate: u32) -> io::Result<()> {
    let rate = rate.max(20);
    for step in bytes.chunks(usize::try_from(rate / 20).unwrap_or(CHUNK)) {
        to.write_all(step).await?;
        #[expect(clippy::cast_precision_loss, reason = "a chunk is small")]
        sleep(Duration::from_secs_f64(step.len() as f64 / f64::from(rate))).await;
    }
    Ok(())
}
