//! What to make of the errors of Redis.

mod codes;

use ordered_core::store::{StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, ServerErrorKind, make_extension_error};

use crate::sentinel;
use codes::{LASTING, LASTING_WORDS, PASSING, PASSING_WORDS, Passing};

/// How much of what a server says is repeated.
const MOST_WORDS: usize = 200;

/// The code of an error of ours: the source of the credentials has none.
pub(crate) const NO_CREDENTIALS: &str = "ORDERED-NOCREDENTIALS";
/// The code of an error of ours: the login is refused, and not for so long that it is given up.
const LOGIN_REFUSED: &str = "ORDERED-LOGINREFUSED";

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

fn meaning(error: &RedisError) -> (StoreErrorKind, String) {
    use StoreErrorKind::{Refused, Unavailable};
    let unavailable = |what: &str| (Unavailable, what.to_owned());
    let refused = |what: &str| (Refused, what.to_owned());
    match classify(error) {
        ErrorClass::Passing(passing) => return unavailable(passing.what),
        ErrorClass::Lasting(what) => return refused(what),
        ErrorClass::Unknown => {
            let what = format!("answered `{}`, which may pass", words(error));
            return (Unavailable, what);
        }
        ErrorClass::NoAnswer => {}
    }
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => unavailable("did not answer in time"),
        ErrorKind::Io => unavailable("cannot be reached"),
        ErrorKind::ClusterConnectionNotFound => unavailable("cluster cannot be reached"),
        ErrorKind::MasterNameNotFoundBySentinel => {
            let what = format!("cannot be found: {}", error.detail().unwrap_or_default());
            (Unavailable, what)
        }
        // A connection that broke in the middle of a reply looks like this too.
        ErrorKind::Parse => unavailable("answered with something that is not Redis"),
        ErrorKind::AuthenticationFailed => {
            refused("refuses the user, the password or the database of the address")
        }
        _ => refused("refused a command"),
    }
}

/// What the server said, on one line and without end.
fn words(error: &RedisError) -> String {
    let (code, detail) = (error.code(), error.detail());
    let words = [code, detail].into_iter().flatten().collect::<Vec<_>>();
    let words = words.join(" ");
    words
        .chars()
        .take(MOST_WORDS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// What an answer of the server means.
enum ErrorClass {
    /// The server did not answer with an error.
    NoAnswer,
    Passing(&'static Passing),
    Lasting(&'static str),
    /// As proxies and hosted services answer; it is waited out, since a worker that ends helps nobody.
    Unknown,
}

fn classify(error: &RedisError) -> ErrorClass {
    let Some(code) = error.code() else {
        return ErrorClass::NoAnswer;
    };
    let detail = error.detail().unwrap_or_default();
    // Up to Redis 6.2 the error of a command inside a script comes as `ERR Error running script … -OOM command not
    // allowed …`; from 7.0 on it has its own code.
    let is_inside = |known: &str| {
        let mut words = detail.split([' ', ':']);
        code == "ERR" && words.any(|word| word.strip_prefix('-') == Some(known))
    };
    let is = |known: &str| code == known || is_inside(known);
    if let Some(passing) = PASSING.iter().find(|passing| is(passing.code)) {
        return ErrorClass::Passing(passing);
    }
    if code == sentinel::REFUSED {
        return ErrorClass::Lasting(SENTINELS_REFUSE);
    }
    if let Some((_, what)) = LASTING.iter().find(|(known, _)| is(known)) {
        return ErrorClass::Lasting(what);
    }
    if code == "ERR" {
        let detail = detail.to_ascii_lowercase();
        let mut lasting = LASTING_WORDS.iter();
        let lasting = lasting.find(|(known, _)| detail.contains(known));
        if let Some((_, what)) = lasting
            && !detail.contains(PASSING_WORDS)
        {
            return ErrorClass::Lasting(what);
        }
    }
    ErrorClass::Unknown
}

const SENTINELS_REFUSE: &str = "cannot be found, since all Sentinels refuse the user or the password: add \
    `?sentinel_username=…&sentinel_password=…` to the address, or leave them out if the Sentinels ask for none";

/// Whether the server says that it is not, or not now, the one to ask, so that a new connection may lead to another.
pub(crate) fn asks_for_another_connection(error: &RedisError) -> bool {
    match classify(error) {
        ErrorClass::Passing(passing) => passing.reconnect,
        ErrorClass::Unknown => true,
        ErrorClass::Lasting(_) | ErrorClass::NoAnswer => false,
    }
}

/// Whether the server does not let the user in.
pub(crate) fn is_login_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || error
            .code()
            .is_some_and(|code| ["NOAUTH", "WRONGPASS"].contains(&code))
}

/// The login is refused, and tried again.
pub(crate) fn refused_for_now() -> RedisError {
    make_extension_error(LOGIN_REFUSED.into(), None)
}

/// Whether it is the server's state that has to change, and not an address or a setting.
pub(crate) fn passes_soon(error: &StoreError) -> bool {
    let source = std::error::Error::source(error);
    let error = source.and_then(|source| source.downcast_ref::<RedisError>());
    error.is_some_and(
        |error| matches!(classify(error), ErrorClass::Passing(passing) if passing.soon),
    )
}

/// Whether the server has no memory left for what was asked.
pub(crate) fn is_out_of_memory(error: &RedisError) -> bool {
    matches!(classify(error), ErrorClass::Passing(passing) if passing.code == "OOM")
}

/// Whether the server does not have the script, or has lost it.
pub(crate) fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests;
