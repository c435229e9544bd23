use crate::attr::Options;
use crate::errors::Errors;

/// What no single option can tell.
pub(crate) fn options(options: &Options, errors: &mut Errors) {
    let missing: Vec<_> = [
        ("key", "`key`, the field that says what an event belongs to"),
        ("seq", "`seq`, the field with its sequence number"),
    ]
    .into_iter()
    .filter(|(name, _)| options.setting(name).is_none())
    .map(|(_, meaning)| meaning)
    .collect();
    if !missing.is_empty() && !options.garbled {
        errors.at_attribute(format!(
            "the attribute lacks {}: write `#[ordered_handler(key = \"order_id\", seq = \"seq\")]`",
            missing.join(", and ")
        ));
    }

    if let Some(group) = &options.group
        && group.value().trim().is_empty()
    {
        errors.at(
            group,
            "the group is empty: leave it out, and the function's name is taken",
        );
    }
    for (name, duration) in [
        ("timeout", options.timeout),
        ("dedup_ttl", options.dedup_ttl),
    ] {
        if duration.is_some_and(|duration| duration.is_zero()) {
            let value = options.setting(name).map(|setting| &setting.value);
            errors.at(value, format!("`{name}` must be longer than nothing"));
        }
    }
    if let (Some(base), Some(cap)) = (options.backoff, options.max_backoff)
        && cap < base
    {
        let value = options.setting("max_backoff").map(|setting| &setting.value);
        errors.at(
            value,
            "`max_backoff` is shorter than `backoff`, the wait it bounds",
        );
    }
    if let (Some(key), Some(seq)) = (&options.key, &options.seq)
        && key == seq
    {
        errors.at(
            seq,
            "`key` and `seq` are one field: the key says what the event belongs to, the seq counts the events of one key",
        );
    }
    if let (Some(key), Some(id)) = (&options.key, &options.id)
        && key == id
    {
        errors.at(
            id,
            "`key` and `id` are one field: all events of a key would pass as one event, and its repetitions",
        );
    }
}
