use serde::{Deserialize, Serialize};

/// The logical clock of L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (1978).
///
/// A cause has a smaller time than its effect. Two events that know nothing of each other may have the same time:
/// (time, producer) is a total order.
///
/// ```
/// use ordered_core::logical::LamportClock;
///
/// let (mut shop, mut bank) = (LamportClock::default(), LamportClock::default());
/// let order = shop.send();
/// bank.receive(order);
/// let payment = bank.send();
/// assert!(order < payment);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LamportClock(u64);

impl LamportClock {
    /// One that has seen this time, as it was kept over a restart.
    #[must_use]
    pub const fn at(time: u64) -> Self {
        Self(time)
    }

    /// The last time that it gave or saw.
    #[must_use]
    pub const fn time(self) -> u64 {
        self.0
    }

    /// An event is sent: the time that goes with it. At 2^64-1 it stands still.
    pub fn send(&mut self) -> u64 {
        self.0 = self.0.saturating_add(1);
        self.0
    }

    /// An event with this time is received: the time of its receipt.
    pub fn receive(&mut self, time: u64) -> u64 {
        self.0 = self.0.max(time);
        self.send()
    }
}

/// What a producer keeps for each key whose events run in the order of Lamport times (`order = "lamport"`): how many of
/// them it has sent, and its clock.
///
/// ```
/// use ordered_core::logical::LamportProducer;
///
/// let (mut north, mut south) = (LamportProducer::default(), LamportProducer::default());
/// let (seq, time) = north.send();
/// assert_eq!((seq, time), (1, 1));
/// south.receive(time);
/// assert_eq!(south.send(), (1, 3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct LamportProducer {
    seq: u64,
    time: LamportClock,
}

impl LamportProducer {
    /// One that has sent so many events of the key and has seen this time, as it was kept over a restart.
    #[must_use]
    pub const fn at(seq: u64, time: u64) -> Self {
        Self {
            seq,
            time: LamportClock::at(time),
        }
    }

    /// How many events of the key it has sent: the `after` of what it says of its clock
    /// ([`Control::Clock`](crate::worker::Control::Clock)).
    #[must_use]
    pub const fn seq(self) -> u64 {
        self.seq
    }

    /// The last time that its clock gave or saw.
    #[must_use]
    pub const fn time(self) -> u64 {
        self.time.time()
    }

    /// An event of the key is sent: its seq and its time. A seq that no event has is a gap.
    pub fn send(&mut self) -> (u64, u64) {
        self.seq = self.seq.saturating_add(1);
        (self.seq, self.time.send())
    }

    /// An event with this time is received: the time of its receipt.
    pub fn receive(&mut self, time: u64) -> u64 {
        self.time.receive(time)
    }
}
