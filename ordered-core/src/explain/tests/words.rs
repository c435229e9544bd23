use super::scene::NOON;
use crate::readable::{exactly, grouped, moment, printable, ranges, shell_word, size, span};
use std::time::Duration;

#[test]
fn a_moment_has_its_date_unless_that_is_today() {
    assert_eq!(moment(NOON + 67_000, NOON), "12:01:07 UTC");
    assert_eq!(moment(NOON - 86_400_000, NOON), "2026-11-24 12:00:00 UTC");
    assert_eq!(moment(0, NOON), "1970-01-01 00:00:00 UTC");
    assert_eq!(moment(1_709_164_800_000, NOON), "2024-02-29 00:00:00 UTC");
    assert_eq!(moment(4_107_542_399_000, NOON), "2100-02-28 23:59:59 UTC");
}

#[test]
fn a_span_is_in_the_unit_that_says_most() {
    let spans = [0, 999, 1_000, 59_999, 60_000, 7_200_000, 172_800_000].map(span);
    assert_eq!(
        spans,
        ["0 ms", "999 ms", "1 s", "59 s", "1 min", "2 h", "2 days"]
    );
    let settings = [90_000, 300_000, 1_500, 7_200_000, 0];
    let settings = settings.map(|millis| exactly(Duration::from_millis(millis)));
    assert_eq!(settings, ["90 s", "5 min", "1500 ms", "2 h", "0 s"]);
}

#[test]
fn sizes_and_counts_are_short() {
    let sizes = [0, 999, 1_000, 3_456, 1_000_000, 2_500_000_000].map(size);
    assert_eq!(
        sizes,
        ["0 B", "999 B", "1.0 kB", "3.4 kB", "1.0 MB", "2.5 GB"]
    );
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(grouped),
        ["0", "999", "1,000", "1,234,567"]
    );
}

#[test]
fn ranges_end_where_there_are_too_many() {
    assert_eq!(ranges([], 3), "");
    assert_eq!(ranges([43, 44, 45, 47], 3), "43–45, 47");
    assert_eq!(ranges([1, 3, 5, 7, 9], 3), "1, 3, 5, …");
}

#[test]
fn text_from_outside_cannot_write_to_the_terminal() {
    assert_eq!(
        printable("a\u{1b}[31m\nb\u{202e}é"),
        "a\\u{1b}[31m\\nb\\u{202e}é"
    );
    assert_eq!(shell_word("order-17"), "order-17");
    assert_eq!(shell_word("it's; rm"), r"'it'\''s; rm'");
    assert_eq!(shell_word("a\nb"), r"$'a\x0ab'");
}
