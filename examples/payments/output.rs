//! What the demonstration prints.

use std::time::Instant;

pub(crate) struct Output(Instant);

impl Output {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn print(&self, text: impl AsRef<str>) {
        let mut lines = text.as_ref().lines();
        let seconds = self.0.elapsed().as_secs_f64();
        println!("{seconds:5.1} s  {}", lines.next().unwrap_or_default());
        lines.for_each(|line| println!("         {line}"));
    }
}

/// `20,000.00` for 2,000,000 cents.
pub(crate) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    let mut whole = (cents / 100).to_string();
    let mut place = whole.len();
    while place > 3 {
        place -= 3;
        whole.insert(place, ',');
    }
    format!("{sign}{whole}.{:02}", cents % 100)
}
