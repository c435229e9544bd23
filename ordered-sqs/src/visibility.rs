use std::time::Duration;

use tokio::time::Instant;

/// How long a message is ours. The server counts from a moment that we do not know: between our asking for the
/// message (or for more time) and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visibility {
    /// Until here it is ours for sure: counted from the asking.
    pub(crate) sure_until: Instant,
    /// From here on it is not: counted from the answer.
    pub(crate) lost_at: Instant,
}

impl Visibility {
    pub(crate) fn new(asked: Instant, answered: Instant, visibility: Duration) -> Self {
        Self {
            sure_until: asked + visibility,
            lost_at: answered + visibility,
        }
    }

    /// When a third of the time has passed, so that two tries may fail.
    pub(crate) fn renew_at(&self, visibility: Duration) -> Instant {
        let ahead = visibility.mul_f64(2.0 / 3.0);
        self.sure_until
            .checked_sub(ahead)
            .unwrap_or(self.sure_until)
    }

    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        now >= self.lost_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_from_the_asking_and_lost_from_the_answer() {
        let timeout = Duration::from_secs(30);
        let asked = Instant::now();
        let answered = asked + Duration::from_secs(20);
        let visibility = Visibility::new(asked, answered, timeout);
        assert_eq!(
            visibility.renew_at(timeout),
            asked + Duration::from_secs(10)
        );
        assert_eq!(visibility.sure_until, asked + timeout);
        assert!(!visibility.is_lost(visibility.sure_until));
        assert!(visibility.is_lost(answered + timeout));
    }
}
