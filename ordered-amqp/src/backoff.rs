use std::time::Duration;

/// Waiting times that double up to a limit. Each is shortened at random by up to a half, so that the workers that
/// lost one broker do not come back all at once.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(least: Duration, most: Duration) -> Self {
        let most = most.max(least);
        let next = least;
        Self { least, most, next }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.most);
        whole.mul_f64(1.0 - fastrand::f64() / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_limit_and_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for whole in [100, 200, 350, 350] {
            let waited = backoff.next();
            let whole = Duration::from_millis(whole);
            assert!(waited > whole / 2 && waited <= whole, "{waited:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[test]
    fn the_longest_there_is_does_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX / 2, Duration::MAX);
        for _ in 0..3 {
            assert!(backoff.next() >= Duration::MAX / 4);
        }
    }
}
