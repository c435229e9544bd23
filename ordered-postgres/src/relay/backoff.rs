use std::time::Duration;

/// Waits that double, with jitter, up to a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Backoff {
    /// The wait after this many failures in a row, the first being 1.
    pub(super) fn after(&self, failures: u32) -> Duration {
        let doubled = failures.saturating_sub(1).min(16);
        let wait = self.first.saturating_mul(1 << doubled).min(self.longest);
        wait.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(1),
        };
        for (failures, most) in [(1, 100), (2, 200), (4, 800), (5, 1_000), (u32::MAX, 1_000)] {
            let wait = backoff.after(failures).as_millis();
            assert!((most / 2..=most).contains(&wait), "{failures}: {wait}");
        }
    }
}
