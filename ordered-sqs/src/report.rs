use ordered_core::transport::WorkerFacts;
use tracing::{info, warn};

use crate::facts::{DAY, Facts, Redrive};

/// Below this, deferring alone can use up the receives that a redrive policy allows.
const MANY_RECEIVES: u64 = 100;

/// What is said at the start about a queue: what its attributes mean for the worker that consumes it.
pub(crate) struct Report<'a> {
    pub(crate) queue: &'a str,
    pub(crate) region: &'a str,
    pub(crate) dead_letters: &'a str,
    pub(crate) facts: &'a Facts,
    /// `None` where the transport is used without a worker.
    pub(crate) worker: Option<WorkerFacts>,
}

impl Report<'_> {
    pub(crate) fn log(&self) {
        self.kind();
        self.visibility();
        self.retention();
        match &self.facts.redrive {
            None => info!(
                queue = self.queue,
                "no redrive policy: only the worker puts events aside"
            ),
            Some(redrive) => self.redrive(redrive),
        }
    }

    fn kind(&self) {
        let (kind, meaning) = if self.facts.is_fifo {
            (
                "FIFO",
                "a group waits while one of its messages is out or deferred",
            )
        } else {
            (
                "standard",
                "in any order and sometimes twice: the seq puts them in order",
            )
        };
        info!(
            queue = self.queue,
            region = self.region,
            kind,
            backlog = self.facts.backlog,
            dead_letters = self.dead_letters,
            "SQS queue: {meaning}"
        );
    }

    fn visibility(&self) {
        let Facts {
            visibility,
            is_visibility_ours,
            ..
        } = *self.facts;
        info!(
            queue = self.queue,
            ?visibility,
            queues_own = !is_visibility_ours,
            "the visibility timeout is extended for as long as a handler takes; after a crash it is the time until the \
             event is delivered again"
        );
        let Some(WorkerFacts {
            handler_timeout, ..
        }) = self.worker
        else {
            return;
        };
        if handler_timeout < visibility {
            info!(
                queue = self.queue,
                ?visibility,
                ?handler_timeout,
                "a handler ends within the visibility timeout: it is extended only for what waits or is tried again"
            );
        } else {
            info!(
                queue = self.queue,
                ?visibility,
                ?handler_timeout,
                "a handler may take longer than the visibility timeout, and relies on extensions: while SQS cannot be \
                 reached for {:?} its event is delivered again, and is handled once all the same",
                // Extensions begin when a third has passed.
                visibility * 2 / 3
            );
        }
    }

    fn retention(&self) {
        let seconds = self.facts.retention_seconds;
        if seconds < DAY {
            warn!(
                queue = self.queue,
                seconds,
                "the queue forgets what waits longer than this (MessageRetentionPeriod): an event lost so is a gap"
            );
        }
    }

    fn redrive(&self, redrive: &Redrive) {
        let Redrive {
            queue: target,
            max_receives,
            ..
        } = redrive;
        let crashes = self.worker.map(|worker| worker.max_crashes);
        if crashes.is_some_and(|crashes| *max_receives < u64::from(crashes)) {
            warn!(
                queue = self.queue,
                max_receive_count = max_receives,
                target_queue = target,
                max_crashes = crashes,
                "the queue puts an event aside by itself before its key is halted, if it crashes each worker that \
                 runs it: its key then waits for it: set maxReceiveCount to {MANY_RECEIVES} or more"
            );
        } else if *max_receives < MANY_RECEIVES {
            warn!(
                queue = self.queue,
                max_receive_count = max_receives,
                target_queue = target,
                max_crashes = crashes,
                "the queue puts an event aside by itself after so many receives, also one that was only deferred or was \
                 with a worker that crashed; its key then waits for it: set maxReceiveCount to {MANY_RECEIVES} or more"
            );
        } else {
            info!(
                queue = self.queue,
                max_receive_count = max_receives,
                target_queue = target,
                "the queue puts an event aside by itself after so many receives; attempts within one worker are one \
                 receive"
            );
        }
    }
}
