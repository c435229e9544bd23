use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a command that was interrupted, as shells have it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Hears of Ctrl-C: the first asks for an end between two steps, the second ends the process.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    is_set: Arc<AtomicBool>,
}

impl Interrupt {
    /// From now on.
    pub(crate) fn listen() -> Self {
        let is_set = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&is_set);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if set.swap(true, Ordering::Relaxed) {
                    process::exit(INTERRUPTED.into());
                }
            }
        });
        Self { is_set }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }
}
