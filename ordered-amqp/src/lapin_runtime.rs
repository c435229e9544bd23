//! A runtime for lapin under which it does not log.
//!
//! What lapin logs as an error is what it returns, and what this crate then tells with its meaning. Some of it is no
//! error at all: whether a queue is there, and what an old server takes, can only be found out by a refusal. Whoever
//! wants to see what lapin does turns its target on for debugging: `RUST_LOG=info,lapin=debug`.

use std::cell::RefCell;

use async_rs::traits::Executor;
use async_rs::util::{RuntimeParts, Task};
use async_rs::{Runtime, Tokio};
use tracing::Dispatch;
use tracing::dispatcher::{self, DefaultGuard};
use tracing::instrument::WithSubscriber;

thread_local! {
    /// Kept to the end of lapin's thread, which then takes it down.
    static SILENCE: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

/// The runtime of tokio that is current, without the log of what runs on it.
pub(crate) fn runtime() -> Runtime<RuntimeParts<SilentRuntime, Tokio>> {
    RuntimeParts::new(SilentRuntime::current(), Tokio::current()).into()
}

#[derive(Debug, Clone)]
pub(crate) struct SilentRuntime {
    tokio: Tokio,
    is_silent: bool,
}

impl SilentRuntime {
    fn current() -> Self {
        Self {
            tokio: Tokio::current(),
            is_silent: !tracing::enabled!(target: "lapin", tracing::Level::DEBUG),
        }
    }
}

impl Executor for SilentRuntime {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    /// lapin calls it first thing on the thread that reads and writes.
    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        if self.is_silent {
            SILENCE.with_borrow_mut(|silence| {
                silence.get_or_insert_with(|| dispatcher::set_default(&Dispatch::none()));
            });
        }
        self.tokio.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        if self.is_silent {
            self.tokio.spawn(future.with_subscriber(Dispatch::none()))
        } else {
            self.tokio.spawn(future)
        }
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        call: F,
    ) -> Task<Self::Task<T>> {
        self.tokio.spawn_blocking(call)
    }
}
