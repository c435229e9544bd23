//! A key in whatever state, at noon of 2026-11-25.

use std::time::Duration;

use crate::admin::WorkerView;
use crate::explain::{Explanation, explain};
use crate::protocol::{
    ClaimView, DeadView, GapPolicy, HeldView, KeyView, LastErrorView, Millis, Policy,
};
use crate::store::Group;

pub(super) const NOON: Millis = 1_795_608_000_000;

pub(super) fn group(on_gap: GapPolicy) -> Group {
    Group::new(
        "orders",
        Policy {
            on_gap,
            ..Policy::default()
        },
    )
}

pub(super) fn waiting() -> Group {
    group(GapPolicy::Wait)
}

pub(super) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// `order-17`, done up to 41.
pub(super) fn key() -> KeyView {
    KeyView {
        key: "order-17".into(),
        last_seq: 41,
        next_seq: 42,
        epoch: 0,
        fence: 9,
        attempts: 0,
        deaths: 0,
        crashes: 0,
        suspect: false,
        on_trial: false,
        claim: None,
        phase: "open".into(),
        due: None,
        paused: false,
        paused_until: None,
        group_paused: false,
        last_error: None,
        gap_since: None,
        repair: None,
        held: Vec::new(),
        waiting: Vec::new(),
        causes: Vec::new(),
        holders: Vec::new(),
        release_at: None,
        producers: Vec::new(),
        held_events: 0,
        held_bytes: 0,
        absent: Vec::new(),
        dead: Vec::new(),
        dead_events: 0,
        now: NOON,
    }
}

impl KeyView {
    /// Holds these, each a second older than the one behind it.
    pub(super) fn holding(mut self, seqs: impl IntoIterator<Item = u64>) -> Self {
        let seqs: Vec<u64> = seqs.into_iter().collect();
        let age = |seq: u64| 1_000 * (seqs.last().copied().unwrap_or(0) - seq + 1);
        let held = seqs.iter().map(|seq| HeldView {
            seq: *seq,
            id: format!("e-{seq}"),
            since: NOON - age(*seq),
            bytes: 100,
        });
        self.held = held.collect();
        self.held_events = self.held.len() as u64;
        self.held_bytes = 100 * self.held_events;
        self
    }

    pub(super) fn gap_since(mut self, millis: u64) -> Self {
        self.gap_since = Some(NOON - millis);
        self
    }

    pub(super) fn claimed(mut self, lease_until: Option<Millis>) -> Self {
        self.claim = Some(ClaimView {
            worker: "w3".into(),
            since: NOON - 4_000,
            lease_until,
            hand_over: false,
        });
        self
    }

    pub(super) fn failed(mut self, attempts: u32, phase: &str, due: Option<Millis>) -> Self {
        self.attempts = attempts;
        self.phase = phase.into();
        self.due = due;
        self.last_error = Some(LastErrorView {
            error: "the price is not known\n  caused by: no row".into(),
            first_at: NOON - 180_000,
            last_at: NOON - 20_000,
            worker: "w3".into(),
        });
        self
    }

    /// So many of its workers died, so many of them while they ran the event alone.
    pub(super) fn died(mut self, deaths: u32, crashes: u32) -> Self {
        self.attempts += deaths;
        self.deaths = deaths;
        self.crashes = crashes;
        self.suspect = deaths - crashes >= 2;
        self.last_error = Some(LastErrorView {
            error: "worker w3 died while it owned the key".into(),
            first_at: NOON - 180_000,
            last_at: NOON - 20_000,
            worker: "w3".into(),
        });
        self
    }

    pub(super) fn aside(mut self, seq: u64, cause: &str, replay: bool) -> Self {
        let failed = cause == "failed";
        self.dead.push(DeadView {
            epoch: 0,
            seq,
            id: format!("e-{seq}"),
            cause: cause.into(),
            error: if failed {
                "no luck".into()
            } else {
                String::new()
            },
            attempts: if failed { 5 } else { 0 },
            at: NOON - 3_600_000,
            replay,
            replay_attempts: 0,
        });
        self.dead_events += 1;
        self
    }
}

pub(super) fn worker(alive: bool) -> WorkerView {
    WorkerView {
        id: "w4".into(),
        lease_until: if alive { NOON + 1 } else { NOON },
        alive,
        version: "0.1.0".into(),
        keys: 0,
    }
}

pub(super) fn explained(view: &KeyView, group: &Group) -> Explanation {
    explain("order-17", Some(view), group, Some(&[worker(true)]))
}

#[track_caller]
pub(super) fn assert_text(view: &KeyView, group: &Group, text: &str) {
    assert_eq!(explained(view, group).text, text);
}
