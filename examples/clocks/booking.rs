use ordered_events::logical::LamportProducer;
use ordered_events::{Envelope, InvalidEvent, OrderedEvent, StampedEvent};
use serde::{Deserialize, Serialize};

/// What a branch books on an account.
#[derive(Clone, Default, Serialize, Deserialize, OrderedEvent)]
#[ordered(
    key = "account",
    id = "event_id",
    producer = "branch",
    seq = "seq",
    time = "time"
)]
pub(crate) struct Booking {
    pub(crate) account: String,
    pub(crate) branch: String,
    /// As which booking of its branch on the account.
    pub(crate) seq: u64,
    /// The time of its branch's clock.
    pub(crate) time: u64,
    euros: i64,
    /// For the log: its place in the order of all.
    pub(crate) number: u64,
    pub(crate) event_id: String,
}

impl Booking {
    /// The next booking of a branch that is so far.
    pub(crate) fn next(
        account: &str,
        branch: &str,
        clock: &mut LamportProducer,
        euros: i64,
    ) -> Result<Self, InvalidEvent> {
        let mut booking = Self {
            account: account.into(),
            branch: branch.into(),
            euros,
            ..Self::default()
        };
        booking.stamp(clock)?;
        booking.event_id = format!("{branch}-{}", booking.seq);
        Ok(booking)
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {:<8} {:>4} €", self.time, self.event_id, self.euros)
    }

    pub(crate) fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        Ok(Envelope::new(serde_json::to_vec(self)?))
    }
}
