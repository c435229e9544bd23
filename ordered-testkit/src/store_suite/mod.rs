//! The suite with which a store is certified.
//!
//! [`store_suite!`](crate::store_suite!) makes a test of each promise, and [`equals_the_model`] holds the store equal
//! to [`MemoryStore`](ordered_core::store::MemoryStore) on random sequences. Both need a store whose time a test can
//! step: give it an [`ordered_core::clock::Clock`] in place of the server's.
//!
//! ```
//! use ordered_core::clock::Clock;
//! use ordered_core::store::MemoryStore;
//! use ordered_testkit::store_suite;
//!
//! async fn store(clock: Clock) -> MemoryStore {
//!     MemoryStore::with_clock(clock)
//! }
//!
//! store_suite!(store);
//! # fn main() {}
//! ```

pub mod cases;
mod model;
mod stage;

pub use model::equals_the_model;
pub use stage::Stage;

/// Makes a test of every promise of a store.
///
/// Takes the path of an `async fn(Clock) -> impl Store + Admin`. It is called once for each test, and every test has a group of
/// its own, so all stores may share one server. The clock begins far in the future (the year 2100), so that what a
/// server expires by its own time stays as long as the test runs.
#[macro_export]
macro_rules! store_suite {
    ($store:path) => {
        $crate::store_suite!(@tests $store:
            order an_event_that_comes_too_early_waits_for_the_one_before_it,
            order an_offer_that_comes_too_early_is_told_what_stands_in_its_way,
            order what_one_worker_held_is_handed_to_another,
            order a_batch_is_applied_in_order_and_answered_in_order,
            order keys_and_groups_do_not_touch_each_other,
            order a_claim_takes_over_what_is_held,
            order a_large_batch_is_answered_in_full,
            once a_committed_event_is_a_duplicate,
            once an_id_that_comes_back_under_a_new_seq_is_a_repeat,
            once another_event_under_a_taken_seq_is_a_conflict,
            once what_is_forgotten_is_stale,
            once the_last_seq_is_kept_for_good,
            once every_command_may_be_repeated,
            holding a_payload_comes_back_byte_for_byte,
            holding each_quota_is_told_and_the_head_is_exempt,
            holding what_is_committed_makes_room,
            leases a_worker_that_was_overtaken_can_commit_nothing,
            leases a_key_is_taken_over_when_the_lease_is_over_and_not_before,
            leases a_heartbeat_keeps_the_keys_of_a_worker,
            leases a_worker_that_leaves_gives_way_at_once,
            leases an_event_that_kills_its_workers_halts_the_key,
            leases what_was_under_way_in_two_workers_that_died_is_only_claimed,
            sweep a_sweep_finds_what_a_dead_worker_left,
            sweep a_sweep_finds_what_is_due_and_changes_nothing,
            sweep a_sweep_finds_no_more_than_about_its_limit_and_in_the_end_all,
            sweep what_waits_for_an_event_is_not_swept,
            hostile no_key_or_id_is_taken_for_another,
            hostile the_longest_key_and_id_are_kept,
            hostile no_group_is_taken_for_another,
            hostile keys_that_differ_in_one_byte_share_nothing,
            hostile an_id_is_remembered_for_its_own_key_alone,
            inspect an_unknown_key_is_unknown_even_after_it_was_asked_about,
            inspect a_view_says_all_that_is_known,
            inspect a_view_lists_no_more_than_fit_a_page,
            trouble a_dead_letter_lets_the_key_go_on_and_is_replayed_before_the_head,
            trouble a_gap_is_skipped_after_its_time_and_what_comes_then_is_late,
            trouble a_gap_halts_the_key_after_its_time,
            trouble what_waits_behind_an_event_that_died_with_its_worker_is_a_gap,
            trouble what_will_never_come_is_passed_over_and_what_comes_all_the_same_is_handled,
            trouble a_new_numbering_begins_again_and_keeps_the_old_apart,
            trouble an_event_of_an_old_numbering_cannot_be_run_again_and_can_be_discarded,
            trouble a_paused_key_stands_still,
            admin a_group_is_found_with_the_rules_it_was_opened_with,
            admin a_dry_run_says_the_same_and_changes_nothing,
            admin a_verb_that_cannot_be_done_says_why,
            admin what_was_skipped_is_kept_and_replayed_with_another_body,
            admin what_an_operator_did_is_written_down,
            admin a_paused_group_grants_nothing_until_it_is_resumed,
            admin an_overview_counts_the_keys_by_what_they_do,
            admin pages_list_every_key_once_or_more,
            stored what_is_kept_is_read_whole_and_page_by_page,
            stored keys_of_which_events_are_kept_are_listed,
            stored the_workers_are_told_by_themselves,
        );
    };
    (@tests $store:path: $($module:ident $case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let clock = $crate::store_suite::Stage::<()>::clock();
                let store = $store(clock.clone()).await;
                let stage = $crate::store_suite::Stage::new(store, clock).await;
                $crate::store_suite::cases::$module::$case(stage).await;
            }
        )*
    };
}
