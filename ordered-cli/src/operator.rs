use std::env;

use ordered_core::store::Operator;

use crate::args::VerbArgs;

/// Who does it, and why.
pub(crate) fn operator(verb_args: &VerbArgs) -> Operator {
    Operator {
        who: verb_args.who.clone().unwrap_or_else(user_at_host),
        why: verb_args.why.clone(),
    }
}

pub(crate) fn user_at_host() -> String {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let user = set("USER").or_else(|| set("LOGNAME"));
    let host = std::fs::read_to_string("/etc/hostname")
        .ok()
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .or_else(|| set("HOSTNAME"));
    format!(
        "{}@{}",
        user.as_deref().unwrap_or("somebody"),
        host.as_deref().unwrap_or("somewhere")
    )
}
