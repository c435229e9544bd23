//! Settings from the variables of the environment.

use std::time::Duration;

use super::{BuildError, Settings};

/// What the names of the variables begin with; the name of the setting follows, in capitals.
const PREFIX: &str = "ORDERED_";

impl Settings {
    /// The defaults, with what the environment says: each setting has a variable of its name, such as
    /// `ORDERED_CONCURRENCY=128` or `ORDERED_DRAIN_TIMEOUT=20s`. A time is written with `d`, `h`, `m`, `s` and `ms`; a
    /// number of bytes may end with `KiB`, `MiB` or `GiB`. As on the builder, a `lease` sets the `heartbeat`, where
    /// that is not said.
    ///
    /// # Errors
    /// Names the variable that cannot be read, and what is allowed.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::from_variables(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// The same, of variables from elsewhere.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, BuildError> {
        let mut settings = Self::default();
        // All of them, so that none is forgotten.
        let Self {
            concurrency,
            read_ahead,
            lease,
            heartbeat,
            sweep_interval,
            max_lanes,
            sweep_limit,
            drain_timeout,
            max_body_bytes,
            max_kept_bytes,
            defer,
            hold_after,
            breaker_runs,
            breaker_wait,
            batch_commands,
            batch_bytes,
            connect_timeout,
        } = &mut settings;
        let from = Variables { read: &read };
        from.take("concurrency", count, concurrency)?;
        from.take("read_ahead", count, read_ahead)?;
        if from.take("lease", duration, lease)? {
            *heartbeat = Self::heartbeat_of(*lease);
        }
        from.take("heartbeat", duration, heartbeat)?;
        from.take("sweep_interval", duration, sweep_interval)?;
        from.take("max_lanes", count, max_lanes)?;
        from.take("sweep_limit", count, sweep_limit)?;
        from.take("drain_timeout", duration, drain_timeout)?;
        from.take("max_body_bytes", bytes, max_body_bytes)?;
        from.take("max_kept_bytes", bytes, max_kept_bytes)?;
        from.take("defer", duration, defer)?;
        from.take("hold_after", duration, hold_after)?;
        from.take("breaker_runs", count, breaker_runs)?;
        from.take("breaker_wait", duration, breaker_wait)?;
        from.take("batch_commands", count, batch_commands)?;
        from.take("batch_bytes", many_bytes, batch_bytes)?;
        from.take("connect_timeout", duration, connect_timeout)?;
        Ok(settings)
    }
}

struct Variables<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads a text, or says what is allowed.
type Parse<T> = fn(&str) -> Result<T, &'static str>;

impl Variables<'_> {
    /// Says whether the variable is there.
    fn take<T>(&self, name: &'static str, parse: Parse<T>, to: &mut T) -> Result<bool, BuildError> {
        let variable = format!("{PREFIX}{}", name.to_ascii_uppercase());
        let Some(text) = (self.read)(&variable) else {
            return Ok(false);
        };
        *to = parse(text.trim()).map_err(|allowed| {
            BuildError::setting(
                name,
                format!("is {text:?} in {variable}, and must be {allowed}"),
            )
        })?;
        Ok(true)
    }
}

fn count(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "a whole number")
}

fn bytes(text: &str) -> Result<usize, &'static str> {
    let allowed = "a number of bytes, such as `65536` or `16MiB`";
    let bytes = many_bytes(text)?;
    usize::try_from(bytes).map_err(|_| allowed)
}

fn many_bytes(text: &str) -> Result<u64, &'static str> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let unit = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
    let (number, shift) = unit.unwrap_or((text, 0));
    let bytes: Option<u64> = number.trim().parse().ok();
    let bytes = bytes.and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or("a number of bytes, such as `65536` or `16MiB`")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    time(text).ok_or("a time with its unit, such as `250ms`, `30s` or `1m30s`")
}

fn time(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] = [
        // Before `m` and `s`, which it begins and ends with.
        ("ms", 1),
        ("d", 24 * 60 * 60 * 1_000),
        ("h", 60 * 60 * 1_000),
        ("m", 60 * 1_000),
        ("s", 1_000),
    ];
    let (mut rest, mut millis) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let (behind, unit) = UNITS
            .iter()
            .find_map(|(unit, millis)| Some((behind.strip_prefix(unit)?, *millis)))?;
        let part = number.parse::<u64>().ok()?.checked_mul(unit)?;
        millis = millis.checked_add(part)?;
        rest = behind;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn with(variable: &str, value: &str) -> Result<Settings, String> {
        let read = |name: &str| (name == variable).then(|| value.to_owned());
        Settings::from_variables(read).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_has_a_variable_of_its_name() {
        let asked = RefCell::new(Vec::new());
        let settings = Settings::from_variables(|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
        assert_eq!(settings.unwrap(), Settings::default());
        let debug = format!("{:#?}", Settings::default());
        let fields = debug.lines().filter_map(|line| line.strip_prefix("    "));
        let fields = fields.filter_map(|line| Some(line.split_once(": ")?.0));
        let expected = fields.map(|name| format!("ORDERED_{}", name.to_ascii_uppercase()));
        assert_eq!(asked.into_inner(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_variable_is_read_as_what_its_setting_is() {
        assert_eq!(with("ORDERED_CONCURRENCY", "8").unwrap().concurrency, 8);
        let bytes = |text| with("ORDERED_MAX_BODY_BYTES", text).unwrap().max_body_bytes;
        assert_eq!(
            (bytes("100"), bytes(" 2KiB "), bytes("3 MiB")),
            (100, 2_048, 3 << 20)
        );
        assert_eq!(
            with("ORDERED_BATCH_BYTES", "1GiB").unwrap().batch_bytes,
            1 << 30
        );
        let drain = |text| with("ORDERED_DRAIN_TIMEOUT", text).unwrap().drain_timeout;
        assert_eq!(drain("250ms"), Duration::from_millis(250));
        assert_eq!(drain("1m30s"), Duration::from_secs(90));
        assert_eq!(drain("0s"), Duration::ZERO);
        let lease = with("ORDERED_LEASE", "6s").unwrap();
        assert_eq!(
            (lease.lease, lease.heartbeat),
            (Duration::from_secs(6), Duration::from_secs(1))
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_can() {
        for (variable, value, words) in [
            (
                "ORDERED_CONCURRENCY",
                "many",
                "is \"many\" in ORDERED_CONCURRENCY, and must be a whole number",
            ),
            ("ORDERED_CONCURRENCY", "-1", "must be a whole number"),
            ("ORDERED_CONCURRENCY", "", "must be a whole number"),
            ("ORDERED_LEASE", "15", "such as `250ms`, `30s`"),
            ("ORDERED_LEASE", "s", "such as `250ms`, `30s`"),
            (
                "ORDERED_LEASE",
                "99999999999999999999d",
                "such as `250ms`, `30s`",
            ),
            ("ORDERED_BATCH_BYTES", "1TiB", "`16MiB`"),
            ("ORDERED_BATCH_BYTES", "99999999999GiB", "`16MiB`"),
        ] {
            let error = with(variable, value).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
