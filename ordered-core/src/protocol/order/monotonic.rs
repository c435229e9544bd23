use super::super::{KeyState, Transition};

/// The seq of an event is a version. One that is newer than the last is run, whatever lies between; one that is older
/// is *superseded*: counted, acknowledged and not run.
///
/// This is the last-writer-wins register with the producer's version for its timestamp: M. Shapiro, N. Preguiça, C.
/// Baquero, M. Zawirski, "A comprehensive study of Convergent and Commutative Replicated Data Types" (2011).
///
/// The rule: *the head of a key is the oldest version that waits, or the newest with `coalesce`; whatever is older than
/// the head is superseded.* The head stays the head while it is tried again, so that a version that comes meanwhile
/// supersedes nothing before it has run.
///
/// What it does not promise: that every version is run. A version that comes after a newer one became the head is
/// superseded even if that newer one fails permanently.
#[derive(Debug)]
pub struct Monotonic;

impl Monotonic {
    /// The newest version that waits.
    pub(super) fn newest(state: &KeyState, in_memory: Option<u64>) -> Option<u64> {
        let held = state.held.last().filter(|held| !state.is_past(*held));
        held.into_iter().chain(in_memory).max()
    }

    /// Takes the versions out of the mailbox that are superseded, without a look at them; some at a time. Those of
    /// `in_memory` are left. Says how many it took.
    pub(crate) fn take_superseded(
        transition: &mut Transition<'_>,
        in_memory: impl Fn(u64) -> bool,
    ) -> u64 {
        let state = &*transition.state;
        let superseded = state.held.iter().take_while(|seq| state.is_past(*seq));
        // What was skipped, or has a dead letter under its seq, is looked at.
        let is_plain = |seq: &u64| {
            !in_memory(*seq) && !state.is_dead(*seq) && !state.was_skipped(*seq, transition.now)
        };
        let superseded: Vec<u64> = superseded.filter(is_plain).take(MOST_SUPERSEDED).collect();
        for seq in &superseded {
            transition.remove_held(*seq);
        }
        superseded.len() as u64
    }
}

/// How many superseded versions one save takes out of a mailbox at the most.
const MOST_SUPERSEDED: usize = 1_000;
