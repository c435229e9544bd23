//! The end of a builder: everything is checked, and the worker is made.

use std::sync::Arc;
use std::time::Duration;

use super::WorkerBuilder;
use crate::event::Seq;
use crate::handler::{
    DecompressingHandler, DynHandler, HandlerOptions, Layered, MAX_RUN_AHEAD, Router,
};
use crate::protocol::{GapPolicy, Start, WorkerId};
use crate::worker::{BuildError, Health, Worker};

impl WorkerBuilder {
    /// Checks everything and makes the worker.
    ///
    /// # Errors
    /// Names the part that is missing or the setting that cannot work, and what to do.
    pub fn build(self) -> Result<Worker, BuildError> {
        let missing = |part, how| BuildError::Missing { part, how };
        if !self.replaced.is_empty() {
            return Err(BuildError::SeveralHandlers {
                replaced: self.replaced,
            });
        }
        let handler = self
            .handler
            .ok_or_else(|| missing("handler", "`.handler(…)`"))?;
        let handler: Arc<dyn DynHandler> = match handler.handled_types() {
            Some(_) => Arc::new(Router::of(handler)),
            None => handler,
        };
        let store = self.store.ok_or_else(|| missing("store", "`.store(…)`"))?;
        let transport = self
            .transport
            .ok_or_else(|| missing("transport", "`.transport(…)`"))?;
        handler.check(&self.states)?;
        let mut options = handler.options();
        self.overrides
            .into_iter()
            .for_each(|change| change(&mut options));
        handler.validate(&options)?;
        validate(&options)?;
        if matches!(options.policy.on_gap, GapPolicy::Repair { .. }) {
            let Some(repair) = &self.repair else {
                let how = "`.repair(…)`, which says who is asked for missing events, since `on_gap` is `repair`,";
                return Err(missing("repair", how));
            };
            let order = options.policy.order;
            if order.has_producers() && !repair.knows_producers() {
                return Err(BuildError::setting(
                    "repair",
                    format!(
                        "cannot be asked for the events of one producer, and in the order `{order}` it would be: what \
                         is missing has the seq of its producer. Give one whose `knows_producers` is true, or take \
                         `on_gap` `wait`, `skip` or `halt`"
                    ),
                ));
            }
        }
        let settings = self.settings.validated(&options)?;
        if self.id.as_deref() == Some("") {
            return Err(BuildError::setting(
                "id",
                "is empty: leave it out, and one is made up",
            ));
        }
        let handler_type = self.handler_type;
        let handler = Arc::new(DecompressingHandler::over(
            Layered::over(handler, self.middleware),
            settings.max_body_bytes,
            settings.max_kept_bytes,
        ));
        let id = WorkerId::new(self.id.unwrap_or_else(unique_name));
        let health = Health::new(&options.group, id.clone(), settings.lease, &transport);
        Ok(Worker {
            store,
            transport,
            handler,
            handler_type,
            options,
            settings,
            states: Arc::new(self.states),
            observers: self.observers,
            span_hooks: self.span_hooks.into(),
            stuck_hooks: self.stuck_hooks,
            repair: self.repair,
            id,
            health,
            random: self
                .seed
                .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
        })
    }
}

fn validate(options: &HandlerOptions) -> Result<(), BuildError> {
    let policy = &options.policy;
    if options.group.is_empty() {
        return Err(BuildError::setting(
            "group",
            "is empty: give the group a name",
        ));
    }
    if options.timeout.is_zero() {
        return Err(BuildError::setting("timeout", "must be more than nothing"));
    }
    if policy.max_attempts == Some(0) {
        return Err(BuildError::setting("max_attempts", "must be at least 1"));
    }
    if policy.max_crashes == 0 {
        return Err(BuildError::setting("max_crashes", "must be at least 1"));
    }
    if policy.give_up_after == Some(Duration::ZERO) {
        let why = "must be more than nothing; `max_attempts` of 1 gives up at the first failure";
        return Err(BuildError::setting("give_up_after", why));
    }
    if policy.lane_depth == 0 || policy.next_events == 0 {
        return Err(BuildError::setting(
            "lane_depth",
            "and `next_events` must be at least 1",
        ));
    }
    if Seq::new(policy.first_seq).is_err() {
        return Err(BuildError::setting("first_seq", "must be from 0 to 2^53-1"));
    }
    if policy.start
        == (Start::FirstSeen {
            settle: Duration::ZERO,
        })
    {
        let why = "must be more than nothing: smaller seqs may come after the first one";
        return Err(BuildError::setting("settle", why));
    }
    if policy.dedup_ttl.is_zero() {
        return Err(BuildError::setting(
            "dedup_ttl",
            "must be more than nothing",
        ));
    }
    if let Err((option, why)) = options.check_order() {
        return Err(BuildError::setting(option, why));
    }
    validate_ahead(options)
}

/// What lets events of a key run before those before them are committed.
fn validate_ahead(options: &HandlerOptions) -> Result<(), BuildError> {
    let (batch, window) = (options.batch, options.commit_window);
    if !(1..=MAX_RUN_AHEAD).contains(&batch) {
        let why = format!("is {batch}, and must be from 1 to {MAX_RUN_AHEAD}");
        return Err(BuildError::setting("batch", why));
    }
    if window > MAX_RUN_AHEAD {
        let why = format!("is {window}, and must be from 0 to {MAX_RUN_AHEAD}");
        return Err(BuildError::setting("commit_window", why));
    }
    let depth = options.policy.lane_depth;
    let needed = batch.max(window + 1);
    if depth < needed {
        let why = format!(
            "is {depth}, and must be at least {needed} with a `batch` of {batch} and a `commit_window` of {window}"
        );
        return Err(BuildError::setting("lane_depth", why));
    }
    Ok(())
}

fn unique_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok());
    let host = host
        .as_deref()
        .map(str::trim)
        .filter(|host| !host.is_empty())
        .unwrap_or("worker");
    format!("{host}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}
