use std::sync::OnceLock;

use ordered_core::worker::end_drains;
use tokio::sync::watch;

/// How a shell reports a process that SIGINT has ended.
const INTERRUPTED: i32 = 130;

/// How often the process was asked to stop. A thread of its own counts, so that it also does where the application's
/// runtime is blocked.
static ASKED: OnceLock<watch::Sender<u32>> = OnceLock::new();

/// Done when the process is asked to stop: SIGINT (Ctrl-C) or SIGTERM. What most workers run until.
///
/// Asked a second time, the process ends the drain of its workers: handlers that still run are stopped, and their
/// events run again elsewhere ([`end_drains`]). Asked a third time, it exits at once with the code 130, which is like a
/// crash: nothing is lost, but the keys of its workers go on elsewhere only once their leases are over.
///
/// # Panics
/// When the operating system does not let the process listen for signals.
pub async fn shutdown_signal() {
    let mut asked = ASKED.get_or_init(listen).subscribe();
    // It cannot fail: the sender is never dropped.
    let _ = asked.wait_for(|asked| *asked > 0).await;
}

/// Begins to count; the first signal after this is counted.
fn listen() -> watch::Sender<u32> {
    let sender = watch::Sender::new(0);
    let counting = sender.clone();
    let (listening, is_listening) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("ordered-signals".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime for signals can be made");
            runtime.block_on(async {
                let mut signals = Signals::new();
                let _ = listening.send(());
                loop {
                    signals.next().await;
                    counting.send_modify(|asked| *asked += 1);
                    let asked = *counting.borrow();
                    act(asked);
                }
            });
        })
        .expect("a thread for signals can be started");
    is_listening
        .recv()
        .expect("the process may listen for its own signals");
    sender
}

/// What the second and the third time mean.
fn act(asked: u32) {
    match asked {
        0 | 1 => {}
        2 => {
            eprintln!(
                "asked a second time to stop: handlers that still run are stopped. Once more ends the process"
            );
            end_drains();
        }
        _ => std::process::exit(INTERRUPTED),
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).expect("the process may listen for its own signals");
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        tokio::signal::ctrl_c()
            .await
            .expect("the process may listen for its own signals");
    }
}
