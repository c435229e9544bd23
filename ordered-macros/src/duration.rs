use std::time::Duration;

/// From the longest to the shortest, as they follow one another in a duration.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Ten years: more is a slip, and far below what a store's clock in milliseconds can hold.
const MAX: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

const FORM: &str = "write whole numbers with the units d, h, m, s or ms, the longest unit first: \"30s\", \"250ms\", \
                    \"5m\", \"24h\", \"7d\", \"1m30s\"";

/// Reads a duration such as `30s` or `1m30s`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = |why: &str| Err(format!("{why}: {FORM}"));
    if text.is_empty() {
        return bad("the duration is empty");
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number = take(&mut rest, |c| c.is_ascii_digit());
        let unit = take(&mut rest, |c| c.is_ascii_alphabetic());
        if number.is_empty() {
            return bad(&format!("`{text}` is not a duration"));
        }
        if unit.is_empty() && rest.is_empty() {
            return bad(&format!("`{text}` lacks a unit"));
        }
        let Some(place) = units.iter().position(|(name, _)| *name == unit) else {
            return bad(&format!("`{text}` is not a duration"));
        };
        let milliseconds = units[place].1;
        units = &units[place + 1..];
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(milliseconds));
        match part.and_then(|part| total.checked_add(part)) {
            Some(sum) if Duration::from_millis(sum) <= MAX => total = sum,
            _ => return Err(format!("`{text}` is too long: the longest is \"3650d\"")),
        }
    }
    Ok(Duration::from_millis(total))
}

fn take<'a>(rest: &mut &'a str, of: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("1m30s", 90_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("1s1ms", 1001),
            ("90m", 5_400_000),
            ("007s", 7000),
            ("0s", 0),
            ("3650d", 315_360_000_000),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_form() {
        for text in [
            "", "30", "s", "1.5h", "-1s", "+1s", "30 s", " 30s", "30s ", "30S", "30sec", "1us",
            "30s1m", "1s1s", "1m30", "٣s", "1h,2m", "s30", "30ss",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.ends_with(FORM), "{text}: {error}");
        }
        assert!(parse("30").unwrap_err().starts_with("`30` lacks a unit"));
    }

    #[test]
    fn the_longest_is_ten_years() {
        for text in [
            "3651d",
            "3650d1ms",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(
                parse(text),
                Err(format!("`{text}` is too long: the longest is \"3650d\""))
            );
        }
    }
}
