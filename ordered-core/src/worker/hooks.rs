use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::words::of_panic;

/// Calls what the application has hung in. A panic of it ends neither the run nor the worker.
pub(super) fn call(hook: &str, body: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        let panic = of_panic(&*panic);
        tracing::error!(
            hook,
            panic,
            "a hook panicked; the worker goes on without it this time"
        );
    }
}
