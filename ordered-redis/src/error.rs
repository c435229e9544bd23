//! What to make of the errors of Redis.

use ordered_core::store::{StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// The error codes that pass by themselves, and what they say.
///
/// Sources: `src/server.c` of Redis (shared replies), and
/// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/> for those of a cluster.
const PASSING: [(&str, &str); 12] = [
    (
        "OOM",
        "is out of memory: raise `maxmemory`, or let the workers drain what is held",
    ),
    ("LOADING", "is still loading its data"),
    ("BUSY", "is busy with a script"),
    (
        "READONLY",
        "is a replica and takes no writes: a fail-over, or the wrong address",
    ),
    ("MASTERDOWN", "has lost its master"),
    ("CLUSTERDOWN", "cluster is down"),
    ("TRYAGAIN", "cluster is moving a slot"),
    (
        "MOVED",
        "is a node of a cluster that has not these keys: use the feature `cluster` and `.cluster(true)`",
    ),
    ("ASK", "cluster is moving a slot"),
    (
        "NOREPLICAS",
        "has too few replicas to take writes (`min-replicas-to-write`)",
    ),
    ("MISCONF", "cannot save to disk and takes no writes"),
    ("NOSCRIPT", "forgot the scripts again and again"),
];

/// The error codes that stay until somebody changes something, and what.
const LASTING: [(&str, &str); 5] = [
    (
        "NOAUTH",
        "asks for a password: put it into the address, as in redis://user:password@host",
    ),
    (
        "WRONGPASS",
        "refuses the user or the password of the address",
    ),
    (
        "NOPERM",
        "does not let this user do that: give it `~<prefix>:* ~{<prefix>:* +@read +@write +@scripting +info +config|get +ping`",
    ),
    (
        "WRONGTYPE",
        "has something else under our names: choose another `.prefix(…)`",
    ),
    (
        "CROSSSLOT",
        "says that the names of one bucket are in several slots, which cannot be: please report it",
    ),
];

/// The error of a call to the server at `address`.
pub(crate) fn store_error(address: &str, error: RedisError) -> StoreError {
    let (kind, what) = meaning(&error);
    let message = format!("Redis at {address} {what}");
    match kind {
        StoreErrorKind::Refused => StoreError::refused(message),
        _ => StoreError::unavailable(message),
    }
    .with_source(error)
}

fn meaning(error: &RedisError) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Refused, Unavailable};
    let code = code(error);
    let known = |table: &'static [(&str, &'static str)]| {
        table
            .iter()
            .find_map(|(known, what)| (code == Some(*known)).then_some(*what))
    };
    if let Some(what) = known(&PASSING) {
        return (Unavailable, what);
    }
    if let Some(what) = known(&LASTING) {
        return (Refused, what);
    }
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => (Unavailable, "did not answer in time"),
        ErrorKind::Io => (Unavailable, "cannot be reached"),
        ErrorKind::ClusterConnectionNotFound => (Unavailable, "cluster cannot be reached"),
        // A connection that broke in the middle of a reply looks like this too.
        ErrorKind::Parse => (Unavailable, "answered with something that is not Redis"),
        ErrorKind::AuthenticationFailed => (
            Refused,
            "refuses the user, the password or the database of the address",
        ),
        ErrorKind::Server(ServerErrorKind::ResponseError) if is_unknown_command(error) => (
            Refused,
            "does not know a command: it has to be Redis 6.2 or later, or Valkey, with scripts enabled",
        ),
        _ => (Refused, "refused a command"),
    }
}

/// The code of an error. Up to Redis 6.2 the error of a command inside a script comes as `ERR Error running script …
/// -OOM command not allowed …`; from 7.0 on it has its own code.
fn code(error: &RedisError) -> Option<&'static str> {
    let code = error.code()?;
    let detail = error.detail().unwrap_or_default();
    let inside = |known: &str| {
        let words = || detail.split([' ', ':']);
        code == "ERR" && words().any(|word| word.strip_prefix('-') == Some(known))
    };
    // Redis 7.0 says of a command inside a script that the user may not run it under the code ERR.
    if code == "ERR" && detail.contains("The user executing the script can't") {
        return Some("NOPERM");
    }
    PASSING
        .iter()
        .chain(&LASTING)
        .map(|(known, _)| *known)
        .find(|known| code == *known || inside(known))
}

fn is_unknown_command(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.to_ascii_lowercase().contains("unknown command"))
}

/// Whether the server does not have the script, or has lost it.
pub(crate) fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests {
    use ordered_core::store::StoreErrorKind::{Refused, Unavailable};
    use redis::make_extension_error;

    use super::*;

    fn error(code: &str, detail: &str) -> StoreError {
        store_error(
            "h:1",
            make_extension_error(code.into(), Some(detail.into())),
        )
    }

    #[test]
    fn what_passes_is_unavailable_and_what_lasts_is_refused() {
        for (code, _) in PASSING {
            assert_eq!(error(code, "…").kind(), Unavailable, "{code}");
        }
        for (code, _) in LASTING {
            assert_eq!(error(code, "…").kind(), Refused, "{code}");
        }
    }

    #[test]
    fn the_code_inside_a_script_counts_as_redis_6_2_writes_it() {
        let detail = "Error running script (call to f_0): @user_script:7: -OOM command not allowed";
        assert_eq!(error("ERR", detail).kind(), Unavailable);
        let detail = "Error running script (call to f_0): @user_script: 7: Script attempted …";
        assert_eq!(error("ERR", detail).kind(), Refused);
    }
}
