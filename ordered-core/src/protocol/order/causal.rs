use super::super::{Producer, Producers, Stamp};

/// Events have vector clocks. An event runs when it is its producer's next, and everything that its producer knew when
/// it sent the event has run: no effect before its cause.
///
/// This is causal delivery: K. Birman, A. Schiper, P. Stephenson, "Lightweight Causal and Atomic Group Multicast"
/// (1991). A clock counts, for each producer, its events of the key; how one is kept is said at
/// [`VectorClock`](crate::logical::VectorClock).
///
/// The rule: *the event of producer P that P counts as its n-th is next when P's event n-1 was released, and for every
/// other producer Q that its clock counts m events of, so was Q's event m. Of several such events the one whose
/// producer has the smallest name is next.* A released event has its number, and runs when all before it are done, as
/// in [`Arrival`](super::Arrival).
///
/// - An event whose causes are not there waits in the mailbox, in a slot that follows from its producer and its count.
/// - Concurrent events run in an order that depends on which of them were there: two groups may run them in two orders.
/// - An event that failed permanently and is a dead letter has had its turn: what it caused goes on. Where the key
///   halts, what it caused waits.
///
/// What it does not promise: that a cause comes. An event waits for what it names for as long as the group says.
#[derive(Debug)]
pub struct Causal;

impl Causal {
    /// Whether an event is next, where `released` says up to which seq the events of each producer are.
    pub(crate) fn is_next(stamp: &Stamp, released: impl Fn(&str) -> u64) -> bool {
        let mut causes = stamp.causes();
        stamp.seq() == released(stamp.producer()) + 1
            && causes.all(|(producer, count)| released(producer) >= count)
    }

    /// The event that waits and is next.
    pub(crate) fn next(
        producers: &Producers,
        released: impl Fn(&Producer) -> u64,
    ) -> Option<(usize, u64)> {
        producers.next(released)
    }
}
