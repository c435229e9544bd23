//! The errors that are known, and what they mean.

/// An error that passes by itself, or when somebody helps the server.
pub(super) struct Passing {
    pub(super) code: &'static str,
    pub(super) what: &'static str,
    /// Whether another connection may lead to a server that answers: the address may by now be another server's.
    pub(super) reconnect: bool,
    /// Whether it passes without anybody's help, and so is worth waiting for when a worker starts.
    pub(super) soon: bool,
}

const fn another(code: &'static str, what: &'static str) -> Passing {
    Passing {
        code,
        what,
        reconnect: true,
        soon: true,
    }
}

const fn later(code: &'static str, what: &'static str) -> Passing {
    Passing {
        code,
        what,
        reconnect: false,
        soon: true,
    }
}

const fn helped(code: &'static str, what: &'static str) -> Passing {
    Passing {
        code,
        what,
        reconnect: false,
        soon: false,
    }
}

/// Sources: `src/server.c`, `src/replication.c` and `src/blocked.c` of Redis (shared replies), and
/// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/> for those of a cluster.
pub(super) const PASSING: [Passing; 15] = [
    another(
        "READONLY",
        "is a replica and takes no writes: a fail-over, or the wrong address",
    ),
    another("MASTERDOWN", "has lost its master"),
    another("LOADING", "is still loading its data"),
    another("CLUSTERDOWN", "cluster is down"),
    // Said by a master that is cut off from the rest, where another may have been chosen.
    another(
        "NOREPLICAS",
        "has too few replicas to take writes (`min-replicas-to-write`)",
    ),
    another("UNBLOCKED", "is no master any more: a fail-over"),
    later("BUSY", "is busy with a script"),
    later("TRYAGAIN", "cluster is moving a slot"),
    later("ASK", "cluster is moving a slot"),
    later("NOSCRIPT", "forgot the scripts again and again"),
    helped(
        "MOVED",
        "is a node of a cluster that has not these keys: use the feature `cluster` and `.cluster(true)`",
    ),
    helped(
        "OOM",
        "is out of memory: raise `maxmemory`, or let the workers drain what is held",
    ),
    helped("MISCONF", "cannot save to disk and takes no writes"),
    Passing {
        code: super::LOGIN_REFUSED,
        what: "refuses the user or the password: it is tried again with the credentials of then, until `refused_for` \
               is over",
        reconnect: true,
        soon: false,
    },
    Passing {
        code: super::NO_CREDENTIALS,
        what: "is not connected to, since the source of the credentials has none",
        reconnect: true,
        soon: false,
    },
];

/// The errors that stay until somebody changes something, and what.
pub(super) const LASTING: [(&str, &str); 6] = [
    (
        "NOAUTH",
        "asks for a password: put it into the address, as in redis://user:password@host",
    ),
    (
        "WRONGPASS",
        "refuses the user or the password of the address",
    ),
    ("NOPERM", RIGHTS),
    (
        "WRONGTYPE",
        "has something else under our names: choose another `.prefix(…)`",
    ),
    (
        "CROSSSLOT",
        "says that the names of one bucket are in several slots, which cannot be: please report it",
    ),
    (
        "DENIED",
        "is in protected mode and takes no connections from outside: set a password or `protected-mode no` there",
    ),
];

const RIGHTS: &str = "does not let this user do that: give it `~<prefix>:* ~{<prefix>:* +@read +@write +@scripting \
                      +time +info +config|get +ping`";

const TOO_OLD: &str =
    "does not know a command: it has to be Redis 6.2 or later, or Valkey, with scripts enabled";

/// The same for errors that have no code of their own and come as `ERR`: what the words have in them, in lower case.
/// The first that is in them counts.
pub(super) const LASTING_WORDS: [(&str, &str); 10] = [
    // Redis 7.0 says of a command inside a script that the user may not run it under the code ERR.
    ("the user executing the script can't", RIGHTS),
    ("unknown command", TOO_OLD),
    ("unknown subcommand", TOO_OLD),
    ("wrong number of arguments", TOO_OLD),
    ("syntax error", TOO_OLD),
    (
        "cluster support disabled",
        "is no cluster: leave out `.cluster(true)`",
    ),
    ("db index", "does not have the database of the address"),
    (
        "select is not allowed",
        "is a cluster, and there is no database there: leave it out of the address",
    ),
    ("error compiling script", SCRIPT),
    ("user_script", SCRIPT),
];

/// What passes of the errors that come as `ERR`, though one of [`LASTING_WORDS`] may be in them, too.
pub(super) const PASSING_WORDS: &str = "script killed by user";

const SCRIPT: &str = "cannot run a script of this store: please report it";
