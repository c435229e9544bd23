use std::time::Duration;

/// One of the two directions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What the client says.
    ToServer,
    /// What the server says.
    ToClient,
}

/// How one direction flows. By default at once, and as fast as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// Nothing arrives: neither bytes, nor the end of the connection. It is kept, as a sender keeps what nobody has
    /// confirmed, and arrives after all if the blackhole ends before the connection is cut.
    pub blackhole: bool,
    /// How much later everything arrives.
    pub delay: Duration,
    /// How many bytes arrive in a second, at the most.
    pub bytes_per_second: Option<u32>,
}

impl Flow {
    /// Nothing arrives.
    #[must_use]
    pub fn blackhole() -> Self {
        Self {
            blackhole: true,
            ..Self::default()
        }
    }

    /// Everything arrives so much later.
    #[must_use]
    pub fn delayed(delay: Duration) -> Self {
        Self {
            delay,
            ..Self::default()
        }
    }

    /// Not more than so many bytes arrive in a second.
    #[must_use]
    pub fn throttled(bytes_per_second: u32) -> Self {
        Self {
            bytes_per_second: Some(bytes_per_second),
            ..Self::default()
        }
    }
}
