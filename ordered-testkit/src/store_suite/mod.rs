//! The suite with which a store is certified.
//!
//! [`store_suite!`](crate::store_suite!) makes a test of each promise, and [`equals_memory`] holds the store
//! equal to [`MemoryStore`](ordered_core::store::MemoryStore) on random sequences. Both need a store whose time
//! a test can step: give it an [`ordered_core::clock::Clock`] in place of the server's.
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
mod fixture;
mod model;

pub use fixture::StoreFixture;
pub use model::{equals_memory, sequences};

/// Makes a test of every promise of a store.
///
/// Takes the path of an `async fn(Clock) -> impl Store + Inspect`. It is called once for each test, and every test has
/// a group of its own, so all stores may share one server. The clock begins far in the future (the year 2100), so that
/// what a server expires by its own time stays as long as the test runs.
#[macro_export]
macro_rules! store_suite {
    ($store:path) => {
        $crate::store_suite!(@tests $store:
            grants a_free_key_is_granted,
            grants a_key_has_one_owner_at_a_time,
            grants an_owner_that_asks_again_gets_a_new_fence,
            grants fences_grow_with_every_grant_whatever_the_clock_does,
            grants a_fence_is_at_least_the_time_in_microseconds,
            grants a_new_owner_gets_the_body_with_the_fence_it_was_saved_under,
            grants a_key_without_a_body_is_unknown_once_it_is_given_up,
            grants a_request_to_hand_over_is_told_with_every_save,
            grants a_key_can_be_stolen_from_a_living_owner,
            grants a_batch_is_answered_in_its_order,
            grants keys_and_groups_do_not_touch_each_other,
            mail letters_for_a_key_that_is_owned_are_posted,
            mail letters_are_not_stored_with_a_grant,
            mail a_letter_that_is_posted_twice_is_known,
            mail each_letter_is_posted_by_itself,
            mail mail_is_told_until_a_save_has_taken_it,
            mail a_release_is_refused_while_there_is_mail,
            mail the_mail_of_a_dead_owner_is_inherited,
            mail mail_is_kept_when_a_key_is_stolen_or_its_owner_left,
            mail what_was_posted_under_any_number_is_moved_and_read_in_one_save,
            mail letters_that_are_not_posted_leave_no_mail,
            saves a_save_that_is_lost_changes_nothing,
            saves a_key_that_was_given_up_cannot_be_saved,
            saves a_save_without_a_body_leaves_it,
            saves what_is_in_a_slot_stays_unless_it_is_replaced,
            saves a_letter_is_moved_with_a_new_note,
            saves changes_are_carried_out_in_order,
            saves slots_do_not_touch_each_other,
            saves full_refuses_the_whole_save,
            quotas each_quota_is_told,
            quotas a_quota_may_be_filled_to_the_last_byte,
            quotas a_forced_or_replaced_letter_needs_no_room,
            quotas what_is_there_already_needs_no_room,
            quotas a_save_counts_what_it_removes_and_what_it_puts,
            quotas a_save_without_room_changes_nothing,
            quotas dead_letters_do_not_count,
            ids an_id_is_remembered_for_its_own_key_alone,
            ids an_id_is_looked_up_before_it_is_remembered,
            ids an_id_is_remembered_for_its_time,
            ids an_id_that_is_remembered_again_stays_longer,
            ids ids_are_remembered_without_a_body,
            ids many_ids_are_remembered,
            leases a_key_is_taken_over_after_two_looks_and_not_before,
            leases a_sweep_is_a_look,
            leases a_heartbeat_ends_the_doubt,
            leases a_step_of_the_clock_forward_takes_nothing_from_a_worker_that_beats,
            leases a_step_of_the_clock_back_delays_a_takeover_by_no_more_than_one_lease,
            leases a_step_back_in_doubt_delays_a_takeover_by_no_more_than_half_a_lease,
            leases a_worker_without_a_lease_is_granted_nothing,
            leases a_dead_worker_is_granted_nothing_until_it_beats,
            leases a_worker_that_came_back_keeps_what_nobody_took,
            leases a_worker_that_was_overtaken_can_save_nothing,
            leases a_worker_that_leaves_gives_way_at_once,
            leases a_dead_worker_is_forgotten_once_it_owns_nothing,
            sweep a_sweep_finds_what_is_due_longest_due_first,
            sweep what_was_listed_before_the_clock_stepped_back_is_due_last,
            sweep a_key_with_a_living_owner_is_not_swept,
            sweep a_sweep_finds_what_dead_workers_and_those_that_left_own,
            sweep a_sweep_finds_a_dead_worker_in_two_looks,
            sweep a_sweep_finds_what_waits_too_long,
            sweep a_sweep_counts_what_is_halted,
            sweep a_sweep_changes_no_key,
            sweep a_sweep_finds_about_its_limit_and_in_the_end_all,
            state a_session_of_another_life_of_the_state_is_lost,
            state a_session_of_a_group_that_was_never_opened_is_lost,
            state a_group_is_created_once,
            state a_group_keeps_its_order,
            state an_opening_changes_no_key,
            state a_group_keeps_the_seq_that_its_keys_begin_with,
            inspect pages_list_every_key_of_an_index,
            inspect a_record_says_all_that_is_known,
            inspect totals_follow_every_change,
            inspect sizes_and_letters_are_read_without_owning_the_key,
            inspect workers_are_listed_with_their_leases,
            inspect a_group_is_found_with_the_rules_it_was_opened_with,
            inspect a_paused_group_is_told_with_every_answer,
            inspect what_operators_did_is_written_down,
            hostile no_key_or_id_is_taken_for_another,
            hostile keys_that_differ_in_one_byte_share_nothing,
            hostile the_longest_key_and_id_are_kept,
            hostile a_key_and_an_id_are_not_joined_carelessly,
            hostile no_group_is_taken_for_another,
            hostile bodies_notes_and_data_are_kept_byte_for_byte,
        );
    };
    (@tests $store:path: $($module:ident $case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let clock = $crate::store_suite::StoreFixture::<()>::clock();
                let store = $store(clock.clone()).await;
                let fixture = $crate::store_suite::StoreFixture::new(store, clock).await;
                $crate::store_suite::cases::$module::$case(fixture).await;
            }
        )*
    };
}
