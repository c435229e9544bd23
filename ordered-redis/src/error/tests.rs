use ordered_core::store::StoreErrorKind::{Refused, Unavailable};
use redis::make_extension_error;

use super::*;

fn answer(code: &str, detail: &str) -> RedisError {
    make_extension_error(code.into(), Some(detail.into()))
}

fn error(code: &str, detail: &str) -> StoreError {
    store_error("h:1", answer(code, detail))
}

#[test]
fn what_passes_is_unavailable_and_what_lasts_is_refused() {
    for passing in &PASSING {
        assert_eq!(
            error(passing.code, "…").kind(),
            Unavailable,
            "{}",
            passing.code
        );
    }
    for (code, _) in LASTING {
        assert_eq!(error(code, "…").kind(), Refused, "{code}");
        assert!(!asks_for_another_connection(&answer(code, "…")), "{code}");
    }
    for (words, _) in LASTING_WORDS {
        assert_eq!(error("ERR", words).kind(), Refused, "{words}");
    }
}

#[test]
fn the_code_inside_a_script_counts_as_redis_6_2_writes_it() {
    let detail = "Error running script (call to f_0): @user_script:7: -OOM command not allowed";
    assert_eq!(error("ERR", detail).kind(), Unavailable);
    let detail = "Error running script (call to f_0): @user_script:7: -READONLY You can't write";
    assert_eq!(error("ERR", detail).kind(), Unavailable);
    assert!(asks_for_another_connection(&answer("ERR", detail)));
    let detail = "Error running script (call to f_0): @user_script: 7: Script attempted …";
    assert_eq!(error("ERR", detail).kind(), Refused);
}

/// As proxies and hosted services send.
#[test]
fn an_error_that_nobody_knows_is_waited_out_over_another_connection_and_told() {
    for (code, detail) in [
        ("ERR", "no upstream host"),
        ("ERR", "max number of clients reached"),
        ("NOMASTERLINK", "Can't SYNC"),
        ("ERR", "two\nlines"),
        (
            "ERR",
            "Error running script: Script killed by user with SCRIPT KILL. on @user_script:1.",
        ),
    ] {
        let error = error(code, detail);
        assert_eq!(error.kind(), Unavailable, "{error}");
        assert!(asks_for_another_connection(&answer(code, detail)));
        let text = error.to_string();
        assert!(text.contains(code) && !text.contains('\n'), "{text}");
    }
    assert!(error("ERR", &"x".repeat(10_000)).to_string().len() < 300);
}

#[test]
fn a_server_that_only_needs_time_or_help_keeps_its_connection() {
    for code in ["OOM", "BUSY", "MISCONF"] {
        assert!(!asks_for_another_connection(&answer(code, "…")), "{code}");
    }
}

#[test]
fn a_worker_that_starts_waits_for_a_fail_over_and_not_for_an_operator() {
    for code in ["READONLY", "LOADING", "MASTERDOWN", "BUSY"] {
        assert!(passes_soon(&error(code, "…")), "{code}");
    }
    for code in ["OOM", "MISCONF", "MOVED", "NOAUTH", "ERR"] {
        assert!(!passes_soon(&error(code, "…")), "{code}");
    }
}
