use super::super::Placement;

/// Events run 1, 2, 3, …, as their producer numbers them, and one that is missing is waited for.
///
/// The recovery of order by sequence numbers is as old as the reliable delivery of packets: V. Cerf and R. Kahn, "A
/// Protocol for Packet Network Intercommunication" (1974).
///
/// What it promises: the events that commit are exactly 1, 2, 3, …. What it needs: one numbering per key without gaps.
#[derive(Debug)]
pub struct Sequence;

impl Sequence {
    /// Whether an event is the next after another one.
    pub(super) fn follows(before: u64, seq: u64) -> bool {
        seq == before.wrapping_add(1)
    }

    /// What an event is whose seq was committed under another id: where ids are remembered that far back, another event
    /// has its seq.
    pub(super) fn passed(is_young: bool) -> Placement {
        if is_young {
            Placement::Conflict
        } else {
            Placement::Stale
        }
    }
}
