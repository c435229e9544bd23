use std::time::Duration;

use ordered_core::handler::{HandlerOptions, OnExhausted, OnPassed, OnRepeat, OnStateLoss};
use ordered_core::protocol::{GapPolicy, Start};
use ordered_events::{Handler, ordered_handler};
use serde::Deserialize;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Event {
    key: String,
    seq: u64,
}

#[ordered_handler(key = "key", seq = "seq")]
async fn defaults(_event: Event) {}

#[ordered_handler(key = "key", seq = "seq")]
async fn r#match(_event: Event) {}

#[test]
fn what_is_not_given_keeps_its_default() {
    assert_eq!(defaults.options(), HandlerOptions::new("defaults"));
    assert_eq!(r#match.options(), HandlerOptions::new("match"));
}

/// The table in the documentation of the attribute says these.
#[test]
fn the_defaults_are_the_documented_ones() {
    #[ordered_handler(
        key = "key",
        seq = "seq",
        group = "defaults",
        timeout = "30s",
        give_up_after = "1h",
        max_crashes = 5,
        backoff = "100ms",
        max_backoff = "10s",
        lane_backoff = "250ms",
        on_exhausted = "halt",
        on_gap = "wait",
        on_late = "dead_letter",
        on_stale = "dead_letter",
        on_repeat = "skip",
        stuck_after = "1m",
        dedup_ttl = "24h",
        max_held = 10_000,
        lane_depth = 32,
        commit_window = 0,
        first_seq = 1,
        crate = "::ordered_events"
    )]
    async fn documented(_event: Event) {}

    assert_eq!(documented.options(), defaults.options());
}

#[ordered_handler(
    seq = "seq",
    key = "key",
    group = "billing",
    timeout = "1m30s",
    backoff = "250ms",
    max_backoff = "5m",
    give_up_after = "2h",
    max_attempts = 9,
    max_crashes = 7,
    lane_backoff = "2s",
    on_exhausted = "dead_letter",
    on_state_loss = "adopt",
    on_gap = "skip",
    gap_timeout = "45s",
    on_late = "drop",
    on_stale = "drop",
    on_repeat = "conflict",
    stuck_after = "10m",
    dedup_ttl = "7d",
    max_held = 1_000,
    commit_window = 3,
    lane_depth = 4,
    first_seq = 9007199254740991
)]
async fn all(_event: Event) {}

#[test]
fn every_option_ends_up_in_its_place() {
    let mut expected = HandlerOptions::new("billing");
    expected.timeout = Duration::from_secs(90);
    expected.backoff.base = Duration::from_millis(250);
    expected.backoff.cap = Duration::from_secs(5 * 60);
    expected.policy.give_up_after = Some(Duration::from_secs(7_200));
    expected.policy.max_attempts = Some(9);
    expected.policy.max_crashes = 7;
    expected.lane_backoff = Duration::from_secs(2);
    expected.on_exhausted = OnExhausted::DeadLetter;
    expected.on_state_loss = OnStateLoss::Adopt;
    expected.on_late = OnPassed::Drop;
    expected.on_stale = OnPassed::Drop;
    expected.on_repeat = OnRepeat::Conflict;
    let after = Duration::from_secs(45);
    expected.policy.on_gap = GapPolicy::Skip { after };
    expected.policy.stuck_after = Duration::from_secs(600);
    expected.policy.dedup_ttl = Duration::from_secs(7 * 24 * 60 * 60);
    expected.policy.key_quota.events = 1_000;
    expected.commit_window = 3;
    expected.policy.lane_depth = 4;
    expected.policy.first_seq = 9_007_199_254_740_991;
    assert_eq!(all.options(), expected);
}

/// One handler for each option alone, so that none sets another's field.
macro_rules! alone {
    ($($name:ident: $option:tt = $value:literal => |$expected:ident| $change:expr;)*) => {$(
        #[test]
        fn $name() {
            #[ordered_handler(key = "key", seq = "seq", $option = $value)]
            async fn handler(_event: Event) {}

            let mut $expected = HandlerOptions::new("handler");
            $change;
            assert_eq!(handler.options(), $expected);
        }
    )*};
}

alone! {
    group: group = "größe 1" => |o| o.group = "größe 1".into();
    timeout: timeout = "5m" => |o| o.timeout = Duration::from_secs(300);
    dedup_ttl: dedup_ttl = "24h" => |o| o.policy.dedup_ttl = Duration::from_secs(86_400);
    backoff: backoff = "1s" => |o| o.backoff.base = Duration::from_secs(1);
    no_backoff: backoff = "0s" => |o| o.backoff.base = Duration::ZERO;
    max_backoff: max_backoff = "1h" => |o| o.backoff.cap = Duration::from_secs(3600);
    max_attempts: max_attempts = 1 => |o| o.policy.max_attempts = Some(1);
    most_attempts: max_attempts = 4_294_967_295 => |o| o.policy.max_attempts = Some(u32::MAX);
    give_up_after: give_up_after = "5m" => |o| o.policy.give_up_after = Some(Duration::from_secs(300));
    never_give_up: give_up_after = "never" => |o| o.policy.give_up_after = None;
    max_crashes: max_crashes = 2 => |o| o.policy.max_crashes = 2;
    on_stale: on_stale = "drop" => |o| o.on_stale = OnPassed::Drop;
    on_repeat: on_repeat = "conflict" => |o| o.on_repeat = OnRepeat::Conflict;
    lane_backoff: lane_backoff = "0s" => |o| o.lane_backoff = Duration::ZERO;
    on_exhausted: on_exhausted = "dead_letter" => |o| o.on_exhausted = OnExhausted::DeadLetter;
    on_state_loss: on_state_loss = "adopt" => |o| o.on_state_loss = OnStateLoss::Adopt;
    keep_state_loss: on_state_loss = "stop" => |o| o.on_state_loss = OnStateLoss::Stop;
    on_late: on_late = "drop" => |o| o.on_late = OnPassed::Drop;
    stuck_after: stuck_after = "5s" => |o| o.policy.stuck_after = Duration::from_secs(5);
    max_held: max_held = 1 => |o| o.policy.key_quota.events = 1;
    commit_window: commit_window = 8 => |o| o.commit_window = 8;
    wide_commit_window: commit_window = 1_000 => |o| o.set_commit_window(1_000);
    lane_depth: lane_depth = 1u32 => |o| o.policy.lane_depth = 1;
    first_seq: first_seq = 5 => |o| o.policy.first_seq = 5;
    from_zero: first_seq = 0 => |o| o.policy.first_seq = 0;
    from_first_seq: start = "first_seq" => |o| o.policy.start = Start::FirstSeq;
    from_first_seen: start = "first_seen" => |o| o.policy.start = Start::FirstSeen { settle: Start::SETTLE };
}

#[test]
fn lanes_are_twice_as_deep_as_what_runs_ahead() {
    #[ordered_handler(key = "key", seq = "seq", batch = 100)]
    async fn batch(_events: Vec<Event>) {}

    #[ordered_handler(key = "key", seq = "seq", commit_window = 50)]
    async fn window(_event: Event) {}

    #[ordered_handler(key = "key", seq = "seq", lane_depth = 120, batch = 100)]
    async fn chosen(_events: Vec<Event>) {}

    #[ordered_handler(key = "key", seq = "seq", batch = 3)]
    async fn small(_events: Vec<Event>) {}

    let of = |options: HandlerOptions| (options.batch, options.policy.lane_depth);
    assert_eq!(of(batch.options()), (100, 200));
    assert_eq!(of(window.options()), (1, 100));
    assert_eq!(of(chosen.options()), (100, 120));
    assert_eq!(of(small.options()), (3, 32));
}

#[test]
fn a_key_can_be_halted_at_a_gap() {
    #[ordered_handler(key = "key", seq = "seq", on_gap = "halt", gap_timeout = "1s")]
    async fn strict(_event: Event) {}

    let after = Duration::from_secs(1);
    let on_gap = strict.options().policy.on_gap;
    assert_eq!(on_gap, GapPolicy::Halt { after });
}

#[test]
fn a_backoff_beyond_the_default_bound_raises_it() {
    #[ordered_handler(key = "key", seq = "seq", backoff = "1m")]
    async fn slow(_event: Event) {}

    let backoff = slow.options().backoff;
    assert_eq!(backoff.cap, Duration::from_secs(60));
}
