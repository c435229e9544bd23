use crate::attr::Options;
use crate::choices::{Envelope, OnGap, OnStateLoss, Order, Start};
use crate::errors::Errors;

/// What no single option can tell.
pub(crate) fn options(options: &Options, errors: &mut Errors) {
    let mut needed = vec![("key", "`key`, the field that says what an event belongs to")];
    needed.extend_from_slice(match options.order {
        Some(Order::Arrival) => &[(
            "id",
            "`id`, the field that says which event it is (or `\"digest:body\"`)",
        )],
        Some(Order::Causal) => &[
            ("producer", "`producer`, the field that says who sent it"),
            (
                "clock",
                "`clock`, the field that says how many events of each producer it follows",
            ),
        ],
        Some(Order::Lamport) => &[
            ("producer", "`producer`, the field that says who sent it"),
            (
                "seq",
                "`seq`, the field with its number among those of its producer",
            ),
            (
                "time",
                "`time`, the field with the time of its producer's Lamport clock",
            ),
        ],
        _ => &[("seq", "`seq`, the field with its sequence number")],
    });
    let said_by_envelope = |name: &str| {
        options.envelope == Some(Envelope::CloudEvents) && ["key", "seq", "id"].contains(&name)
    };
    let missing: Vec<_> = needed
        .into_iter()
        .filter(|(name, _)| options.setting(name).is_none() && !said_by_envelope(name))
        .map(|(_, meaning)| meaning)
        .collect();
    if !missing.is_empty() && !options.garbled {
        let example = match options.order {
            Some(Order::Arrival) => "key = \"order_id\", order = \"arrival\", id = \"event_id\"",
            Some(Order::Causal) => {
                "key = \"post\", order = \"causal\", producer = \"author\", clock = \"vector\""
            }
            Some(Order::Lamport) => {
                "key = \"account\", order = \"lamport\", producer = \"branch\", seq = \"seq\", time = \"time\""
            }
            _ => "key = \"order_id\", seq = \"seq\"",
        };
        errors.at_attribute(format!(
            "the attribute lacks {}: write `#[ordered_handler({example})]`",
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
        ("gap_timeout", options.gap_timeout),
        ("stuck_after", options.stuck_after),
        ("give_up_after", options.give_up_after.flatten()),
        ("settle", options.settle),
        ("producer_lease", options.producer_lease),
        ("max_delay", options.max_delay),
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
    order(options, errors);
    decode(options, errors);
    if options.settle.is_some()
        && options.start != Some(Start::FirstSeen)
        && options
            .setting("start")
            .is_none_or(|_| options.start.is_some())
    {
        let name = options.setting("settle").map(|setting| &setting.name);
        errors.at(
            name,
            "`settle` says how long smaller seqs of a new key may still come, and a key begins with `first_seq`: add \
             `start = \"first_seen\"`",
        );
    }
    gap(options, errors);
    ahead(options, errors);
    if let Some(place) = &options.event_type
        && options.setting("on").is_none()
    {
        errors.at(
            place,
            "`event_type` says where an event says its type, and the handler takes events of every type: add \
             `on = \"OrderCreated\"`",
        );
    }
    if let (Some(key), Some(seq)) = (&options.key, &options.seq) {
        if key.is(seq) {
            errors.at(
                seq,
                "`key` and `seq` are one field: the key says what the event belongs to, the seq counts the events of \
                 one key",
            );
        } else if key.parts().contains(seq) {
            errors.at(
                seq,
                "the `seq` is a part of the `key`: every event would have a key of its own, and no order",
            );
        }
    }
    if let (Some(key), Some(id)) = (&options.key, &options.id)
        && key.is(id)
    {
        errors.at(
            id,
            "`key` and `id` are one field: all events of a key would pass as one event, and its repetitions",
        );
    }
}

/// What is said about JSON, where the body is something else.
fn decode(options: &Options, errors: &mut Errors) {
    if options.setting("decode").is_none() {
        return;
    }
    if let Some(envelope) = options.setting("envelope") {
        errors.at(
            &envelope.name,
            "`envelope` is about an event in JSON, and with `decode` the body is something else: leave one of the two \
             out",
        );
    }
    let stamp = options.producer.iter().chain(&options.clock);
    for place in options.places().chain(&options.event_type).chain(stamp) {
        if place.is_json() {
            errors.at(
                place,
                format!(
                    "`{}` is a place in JSON, and with `decode` the body is something else: name a field of the event, \
                     or a header",
                    place.text()
                ),
            );
        }
    }
}

/// What an order has no use for.
fn order(options: &Options, errors: &mut Errors) {
    let value = |name| options.setting(name).map(|setting| &setting.name);
    let mut refuse = |name: &'static str, why: &str| {
        if options.setting(name).is_some() {
            errors.at(value(name), format!("`{name}` {why}"));
        }
    };
    if options.order != Some(Order::Monotonic) {
        refuse("coalesce", "is for versions: add `order = \"monotonic\"`");
    }
    if options.order != Some(Order::Causal) {
        refuse(
            "clock",
            "is for events of several producers with vector clocks: add `order = \"causal\"`",
        );
    }
    if options.order != Some(Order::Lamport) {
        for name in ["time", "producer_lease", "max_delay"] {
            refuse(
                name,
                "is for events of several producers with Lamport times: add `order = \"lamport\"`",
            );
        }
    }
    if !options.has_producers() {
        for name in ["producer", "max_producers"] {
            refuse(
                name,
                "is for events of several producers: add `order = \"causal\"` or `order = \"lamport\"`",
            );
        }
    }
    let gaps = ["on_gap", "gap_timeout", "first_seq", "stuck_after"];
    match options.order {
        Some(Order::Arrival) => {
            refuse(
                "seq",
                "has no meaning here: with `order = \"arrival\"` events run as the transport hands them over. Leave it \
                 out, or leave `order` out and events run as their seqs say",
            );
            for name in gaps {
                refuse(
                    name,
                    "is about events that are missing, and with `order = \"arrival\"` none is waited for",
                );
            }
            refuse(
                "on_repeat",
                "is about an id under two seqs, and with `order = \"arrival\"` there is none: an id runs once",
            );
        }
        Some(Order::Monotonic) => {
            for name in gaps {
                refuse(
                    name,
                    "is about events that are missing, and with `order = \"monotonic\"` none is waited for",
                );
            }
            refuse(
                "on_stale",
                "is about a seq that was committed before, and with `order = \"monotonic\"` such a version is \
                 superseded",
            );
            for name in ["batch", "commit_window"] {
                refuse(
                    name,
                    "runs events together or ahead of commits, and with `order = \"monotonic\"` a version may make the \
                     one before it needless: leave it out",
                );
            }
        }
        Some(order @ (Order::Lamport | Order::Causal)) => {
            if order == Order::Causal {
                refuse(
                    "seq",
                    "has no meaning here: with `order = \"causal\"` the `clock` says as which of its producer's events \
                     an event was sent. Leave it out",
                );
            }
            for name in ["first_seq", "start", "settle"] {
                refuse(
                    name,
                    "is about where the numbers of a key begin, and in this `order` each producer of a key begins with \
                     1",
                );
            }
            refuse(
                "on_repeat",
                "is about an id under two seqs, and in this `order` an id runs once",
            );
            if options.on_state_loss == Some(OnStateLoss::Adopt) {
                errors.at(
                    options.setting("on_state_loss").map(|setting| &setting.value),
                    "in this `order` no worker remembers how far the producers of a key were: leave it out, and \
                     workers stop where the store has lost its state",
                );
            }
        }
        Some(Order::Sequence) | None => {}
    }
}

/// What is done about a gap, and after how long, belong together.
fn gap(options: &Options, errors: &mut Errors) {
    let acts = matches!(
        options.on_gap,
        Some(OnGap::Skip | OnGap::Halt | OnGap::Repair)
    );
    let timeout = options.setting("gap_timeout");
    if acts && timeout.is_none() {
        let value = options.setting("on_gap").map(|setting| &setting.value);
        errors.at(
            value,
            "this says what to do about a gap, and not after how long: add `gap_timeout = \"30s\"`",
        );
    }
    if options.gap_timeout.is_some()
        && !acts
        && options
            .setting("on_gap")
            .is_none_or(|_| options.on_gap.is_some())
    {
        let name = timeout.map(|setting| &setting.name);
        errors.at(
            name,
            "`gap_timeout` says after how long something is done about a gap, and nothing is: add `on_gap = \"skip\"`, \
             `\"halt\"` or `\"repair\"`",
        );
    }
}

/// What runs together, or before what is before it is committed, has to find room in its lane, and an attempt left.
fn ahead(options: &Options, errors: &mut Errors) {
    let value = |name| options.setting(name).map(|setting| &setting.value);
    let (batch, window) = (
        options.batch.unwrap_or(1),
        options.commit_window.unwrap_or(0),
    );
    if let Some(depth) = options.lane_depth {
        if depth < batch {
            errors.at(
                value("lane_depth"),
                format!("a lane of {depth} has no room for a `batch` of {batch}: leave `lane_depth` out, and it is \
                         twice that"),
            );
        } else if depth <= window {
            errors.at(
                value("lane_depth"),
                format!("a lane of {depth} has no room for more than the `commit_window` of {window}: leave \
                         `lane_depth` out, and it is twice that"),
            );
        }
    }
    if options.max_attempts == Some(1) && (batch > 1 || window > 0) {
        let name = if batch > 1 { "batch" } else { "commit_window" };
        errors.at(
            value("max_attempts"),
            format!(
                "with `{name}` an event needs at least two attempts: a crash counts for the first event that is not \
                 committed, which may be another one than that which ran"
            ),
        );
    }
}
