//! The attribute of `ordered`, and the derive of its events (`event`). Applications use them through the facade,
//! `ordered-events`, which re-exports them.
//!
//! The way of an annotated function: it is read (`attr`, `function`), put together (`model`), checked (`valid`), and
//! made a handler (`expand`). What cannot be one is made an item of the same name all the same (`fallback`), so that
//! one mistake gives one message.

mod attr;
mod choices;
mod duration;
mod errors;
mod event;
mod expand;
mod fallback;
mod field;
mod function;
#[cfg(test)]
mod hostile;
mod key_path;
mod model;
mod suggest;
mod valid;
mod value;

use proc_macro2::TokenStream;
use quote::quote;
use syn::FnArg;

use crate::attr::Options;
use crate::errors::Errors;
use crate::function::Function;
use crate::model::Model;

/// The function is async and free-standing. Its first argument is the event, by value, of any type that implements
/// `Deserialize` and is `Send + 'static`. Every other argument is taken from the worker: a `State<T>`, the `Context`, a
/// `Tx` (feature `postgres`: a transaction that is committed with the event), or a type of yours that implements
/// `FromContext`. It returns nothing or a `Result<(), E>` with any error type.
///
/// # Options
///
/// | Option | Value | Meaning | Default |
/// |---|---|---|---|
/// | `key` | field, or several in brackets | What the event belongs to: events of one key run in order. Of any type that implements `Display`. See [below](#keys-of-several-parts) for several. | required |
/// | `order` | `"sequence"`, `"arrival"`, `"monotonic"`, `"lamport"` or `"causal"` | In which order the events of a key run. See [below](#other-orders). It cannot be changed for a group that exists. | `"sequence"` |
/// | `seq` | field | The event's place among those of its key: 1, 2, 3, …; with `order = "monotonic"` its version; with `order = "lamport"` its place among those of its producer and its key. Of any integer type. | required, and not allowed with `order = "arrival"` or `"causal"` |
/// | `coalesce` | `true` or `false` | With `order = "monotonic"`: of the versions that wait only the newest runs. | `false` |
/// | `producer` | field | With `order = "causal"` or `"lamport"`: who sent the event. Of any type that implements `Display`. | required there |
/// | `time` | field | With `order = "lamport"`: the time of its producer's Lamport clock. Of any integer type. | required there |
/// | `producer_lease` | duration | With `order = "lamport"`: how long a producer is waited for that says nothing. | `"1m"` |
/// | `max_delay` | duration | With `order = "lamport"`: how long an event waits at the most for what may come before it. A guess: what comes later is late. | as long as a producer may send something |
/// | `clock` | field | With `order = "causal"`: how many events of each producer the event follows, with itself. A `VectorClock`, or a map from names to counts; in the JSON an object. | required there |
/// | `max_producers` | integer, from 1 | With `order = "causal"` or `"lamport"`: how many producers a key has at the most. One more halts it. | `64` |
/// | `id` | field, or `"digest:body"` | What makes it this event: a repetition has the same id. Of any type that implements `Display`. `"digest:body"` makes it of the bytes of the body, for events without an id and a seq. | the `event_id` at the top level of the JSON; without one, key, seq and a digest of the body, so that an event is a repetition only with the same bytes |
/// | `envelope` | `"cloudevents"` or `"sns"` | What the body has around the event. See [below](#events-in-an-envelope). | the body is the event |
/// | `decode` | type | What reads the body, where it is not JSON: a type that implements `Decode`. See [below](#other-formats-than-json). | the body is JSON |
/// | `group` | text | The name under which the progress is kept: each group has its own. | the function's name |
/// | `on` | text, or several in brackets | The types of the events that the function handles. See [below](#one-function-for-each-type-of-event). | all events |
/// | `event_type` | header or place in the JSON | Where an event says its type, with `on`. | where events usually have it, see [below](#one-function-for-each-type-of-event) |
/// | `timeout` | duration | How long one run may take before it is cancelled and counted as a failed attempt. | `"30s"` |
/// | `give_up_after` | duration or `"never"` | How long an event whose handler fails is tried again, from its first failure on. After that it counts as failed permanently. | `"1h"` |
/// | `max_attempts` | integer, from 1 | How often an event is tried at the most, however early that is. | no limit |
/// | `max_crashes` | integer, from 1 | How many workers may die while they run an event alone, before its key stops. An event that was under way in two workers that died runs alone from then on. | `5` |
/// | `backoff` | duration | The longest wait before the second attempt; it doubles with each further one. `"0s"`: no wait. | `"100ms"` |
/// | `max_backoff` | duration | The longest wait before any attempt. | `"10s"`, or `backoff` if that is longer |
/// | `lane_backoff` | duration | The longest wait that the worker sits out itself; for a longer one the event goes back to the store, and takes no room in the worker meanwhile. | `"250ms"` |
/// | `on_exhausted` | `"halt"` or `"dead_letter"` | What happens to an event that failed permanently: its key stops at it, and later events wait behind it until an operator decides; or the store dead-letters it, and the key goes on. An event that kills its workers always stops its key. | `"halt"` |
/// | `on_state_loss` | `"stop"` or `"adopt"` | What workers do when the store has lost the state of the group, because it was flushed or has no disk and was restarted: they end with an error that names their keys; or they go on with a new state, into which each writes how far it knows its keys to be. What the store held and remembered is gone in either case. | `"stop"` |
/// | `on_gap` | `"wait"`, `"skip"`, `"halt"` or `"repair"` | What is done about an event that does not come while later ones wait: nothing; the key passes over it; the key stops before it; the worker asks for it, of what is given to `.repair(…)` of its builder, such as the outbox in Postgres. With `order = "causal"` and `"lamport"` each producer has a gap of its own. | `"wait"` |
/// | `gap_timeout` | duration | After how long that is done. | required with `"skip"`, `"halt"` and `"repair"` |
/// | `on_late` | `"dead_letter"` or `"drop"` | What happens to an event that comes after its key has skipped it. | `"dead_letter"` |
/// | `on_stale` | `"dead_letter"` or `"drop"` | What happens to an event at or below the last committed seq of its key whose id is not remembered: a repetition that comes later than `dedup_ttl`, or one of a producer that began to number anew. | `"dead_letter"` |
/// | `on_repeat` | `"skip"` or `"conflict"` | What happens to an event whose id was committed under another seq of its key: it counts as handled; or it counts as failed permanently, because different events have one id. | `"skip"` |
/// | `stuck_after` | duration | After how long a key that waits for an event is reported as stuck. | `"1m"` |
/// | `dedup_ttl` | duration | How long a processed event is remembered by its id. | `"24h"` |
/// | `max_held` | integer, from 1 | How many events of one key may wait in the store for their turn. | `10_000` |
/// | `lane_depth` | integer, from 1 | How many events of one key a worker takes on at a time; the others are held in the store. | `32`, or twice `batch` or `commit_window` if that is more |
/// | `batch` | integer, 1 to 1,000 | How many events of one key the function takes together; its first argument is then a `Vec`. See [below](#several-events-together). | one event |
/// | `commit_window` | integer, 0 to 1,000 | How many events of a key may be done and not committed yet while the next one runs. See [below](#ahead-of-commits). | `0` |
/// | `first_seq` | integer, 0 to 2^53-1 | The seq that a key begins with. It cannot be changed once the group exists. | `1` |
/// | `start` | `"first_seq"` or `"first_seen"` | Where a key begins of which nothing is known: with `first_seq`; or with the smallest seq that comes within `settle`, because the group begins in the middle of a stream. What comes below that later is stale. | `"first_seq"` |
/// | `settle` | duration | With `start = "first_seen"`: how long after the first event of a key smaller seqs may still come. | `"10s"` |
/// | `crate` | path | Where `ordered_events` is found, for crates that re-export it: `crate = "my_crate::ordered_events"`. | `"::ordered_events"` |
///
/// A **field** is named in quotes, as in Rust: `"order_id"`, `"order.id"` for a field of a field, `"0.id"` for one of a
/// tuple. Where serde renames a field (`#[serde(rename = "orderId")] order_id`), it is the Rust name, `order_id`, that
/// counts here.
///
/// An enum has no fields, and a `serde_json::Value` has none that Rust knows. For them, and for whatever is in the JSON
/// and not in the type, write the place in the JSON with slashes, which is a JSON Pointer (RFC 6901):
/// `key = "/order_id"`, `seq = "/meta/seq"`. There the names are those of the JSON. What is there is text or a whole
/// number; the seq may be text of digits. The body is then read twice.
///
/// Where the broker carries the key, the seq or the id beside the body, write `"header:"` and the header's name in
/// place of a field: on a FIFO queue of SQS `key = "header:sqs.message_group_id"` and
/// `id = "header:sqs.message_deduplication_id"`; with message attributes or AMQP headers, their names. Properties of a
/// message of RabbitMQ are headers, too: `header:amqp.message_id`, `header:amqp.routing_key`, and
/// [others](https://docs.rs/ordered-amqp).
///
/// A **duration** is written in quotes with the units `d`, `h`, `m`, `s` and `ms`, the longest first: `"250ms"`,
/// `"24h"`, `"1m30s"`. The longest is ten years.
///
/// # What is made of the function
///
/// A unit struct of its name, with its visibility and its documentation, that is `Copy` and implements `Handler`: the
/// value for `.handler(apply_order)`. It dereferences to a function pointer with the function's own arguments, so
/// `apply_order(event, State(db)).await` calls the function, without a worker, for instance in a unit test.
///
/// Three things differ from a function:
/// - No module beside it may have the same name, and no variable where it is in scope: `let apply_order = …` would be
///   taken for a comparison with the struct.
/// - The event's type must be as visible as the handler: a `pub` handler wants a `pub` event.
/// - It cannot be generic.
///
/// An event is read as JSON, unless `decode` says otherwise. What is not JSON, has another shape, or an empty key, or a
/// seq that is no whole number from 0 to 2^53-1, is not handed to the function: the worker dead-letters it, with the
/// reason.
///
/// # Keys of several parts
///
/// `key = ["tenant", "order_id"]` joins the texts of several fields, places in the JSON or headers with a `/`. A `~` in
/// a part is written `~0` and a `/` is written `~1`, so that different parts never make one key. The key of the order
/// `7/b` of `acme` is `acme/7~1b`: so it stands in logs, and so `ordered explain` is asked for it. A part that is empty
/// makes the event malformed. Whoever needs the key elsewhere makes it with `Key::join(["acme", "7/b"])`.
///
/// # Events in an envelope
///
/// `envelope = "cloudevents"`: the message is a CloudEvent of version 1, in the structured mode (the body is its JSON
/// form) or in the binary mode (its attributes are headers that begin with `cloudEvents:`, `cloudEvents_`, `ce-` or
/// `ce_`, and the body is its data). The event is what serde reads from its JSON form in both modes:
/// `CloudEvent<Order>`, or a type of your own, such as an enum with `#[serde(tag = "type", content = "data")]`. The key
/// is the `subject`, the seq the extension `sequence`, and the id the `source` and the `id` with a space between them,
/// where the options do not say otherwise: `key = "/tenant"`.
///
/// `envelope = "sns"`: the message came from SNS through a queue without raw message delivery. The event is what serde
/// reads from the notification's `Message`. Its attributes are headers, and so are `sns.message_id`, `sns.subject`,
/// `sns.topic_arn`, `sns.timestamp` and `sns.sequence_number`.
///
/// A message that names its content encoding, `gzip`, `deflate` or `zstd`, is decompressed before all of that, with the
/// feature `compression`. More than the worker's `max_body_bytes` does not come out of it.
///
/// # Other formats than JSON
///
/// `decode = "MessagePack"` names a type of yours that implements `Decode`: it makes the event of the body. The event's
/// type then needs no `Deserialize`. Key, seq and id are fields or headers, and no places in JSON. Without an `id` it
/// is made of the key, the seq and the bytes of the body. A type of event (`on`) is looked for in headers. An event
/// that cannot be decoded keeps its place only where key and seq are in headers; otherwise it is dead-lettered.
///
/// # Other orders
///
/// Not every system numbers its events. `order` says what takes the place of 1, 2, 3, …; everything else stays as it
/// is.
///
/// - `order = "arrival"`, for events without a number: those of a key run one at a time, in the order in which the
///   transport hands them over, each id once. It needs an `id`, or `id = "digest:body"` where two events never have the
///   same bytes. The function is told no seq.
/// - `order = "monotonic"`, for snapshots and upserts: the seq is a version, which grows and may have gaps. A version
///   that is older than one that was run, or is about to run, is superseded: counted, acknowledged, and not run. With
///   `coalesce = true` only the newest of the versions that wait runs.
/// - `order = "causal"`, for events of several producers that know of each other's: each has a vector clock, which says
///   how many events of each `producer` it follows. It runs when it is its producer's next and everything that it
///   follows has run. What the function publishes itself follows `context.clock()`.
/// - `order = "lamport"`, for events of several producers that all consumers must run in one order: that of the `time`
///   of their Lamport clocks, and of the names of the producers where times are the same. An event runs when no active
///   producer can send anything any more that comes before it. Producers that have nothing to send show their clocks
///   with control messages.
///
/// What each of them does not promise is in [`docs/ordering-modes.md`](https://docs.rs/ordered-events).
///
/// # One function for each type of event
///
/// A queue commonly has events of several types. One function may take an enum of them; or there is a function for
/// each, with `on = "OrderCreated"` (or `on = ["OrderCreated", "OrderImported"]`), and a `Router` has them all:
/// `.handler(Router::new().group("orders").handler(order_created).handler(order_shipped))`. They share the group and
/// the order of its keys, so key, seq, id and all options are the same in each. An event of another type
/// is *unhandled*: `.unhandled(Unhandled::Halt)` of the router says what happens to it. A function with `on` that is
/// given to a worker alone is a router of one.
///
/// The type is looked for in the header `x-ordered-type`, in the `type` of a CloudEvent, in the property `type` of a
/// message of RabbitMQ, and in `/type` and `/payload/type` of the JSON; the first that is there counts.
/// `event_type = "header:kind"` or `event_type = "/meta/kind"` looks there and nowhere else.
///
/// # Several events together
///
/// A key whose events come faster than the store can be asked about each is a hot key. With `batch = 100` the function
/// takes a `Vec` of its events: what lies in memory of one key when its turn comes, in order, without a gap, from one
/// event to a hundred. Nothing waits for it to be longer.
/// `#[ordered_handler(key = "order_id", seq = "seq", batch = 100)]`,
/// `async fn apply_orders(events: Vec<OrderEvent>, State(db): State<Db>) -> Result<(), HandlerError>`.
///
/// When it returns `Ok`, all of them are committed, in one call of the store. When it fails, panics or outlives its
/// `timeout`, which is that of the whole run, none is: they run again one at a time (a `Vec` of one), which is no
/// attempt of any. So the event that fails is found, and is retried, halted or dead-lettered alone, with its own
/// attempts. The function must be sound under that: what it did of a run that failed, it is asked to do again.
///
/// An event whose worker died runs alone as well, and so do those behind it that may have run with it. `max_attempts`
/// must be at least 2. A `Context` argument is that of the first event: `context.run()` has those of all,
/// `context.fence()` is the same for all.
///
/// # Ahead of commits
///
/// By itself the function runs on an event only after the one before it is committed. With `commit_window = 32` it runs
/// on while the commits of up to 32 events are on their way to the store, as long as the worker is sure of its lease;
/// several of them then go in one call. Commits are still 1, 2, 3, …, each once, and two runs of a key still never
/// overlap while leases hold. What it weakens:
/// - After a crash, or a pause of the key, not one event but several may run again, in their order: those that were
///   done and not committed, 7 and then 8, although 8 has run before.
/// - A worker that has lost its lease without knowing it may be as many events ahead. It can commit none of them; a
///   sink that refuses old fencing tokens refuses them too.
///
/// Only first attempts run ahead. An event that failed is strict until it is past, and so is one whose worker died,
/// with those behind it that may have run. `max_attempts` must be at least 2. With `batch` too, a run begins while at
/// most so many events wait for their commits.
///
/// # Compile errors
///
/// Every mistake in the attribute or the signature is told where it stands and with what is allowed instead. Of the
/// compiler's own messages, four need a hint:
/// - `` no field `x` on type `OrderEvent` `` under an option: see above on fields. Where the compiler proposes a
///   name, write it in quotes. Of an enum or a `Value` there are none: write `"/x"`.
/// - `future cannot be sent between threads safely`: the function keeps a value across an `.await` that must stay on
///   its thread, such as an `Rc` or the guard of a mutex; the note names it.
/// - `private type in public interface`: the event's type is less visible than the handler.
/// - `is interpreted as a unit struct, not a new binding`: a variable has the name of a handler.
#[proc_macro_attribute]
pub fn ordered_handler(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(options.into(), item.into()).into()
}

/// Makes a struct an event that a `Publisher` and `Outbox::stage` take: the same struct that the handler reads. Its
/// JSON is the body, so it implements `Serialize`. Where the outbox or a `Sequencer` numbers it, it has no field for
/// the seq.
///
/// # Options
///
/// Above the struct, as `#[ordered(key = "order_id", …)]`:
///
/// | Option | Value | Meaning | Default |
/// |---|---|---|---|
/// | `key` | field | What the event belongs to: events of one key are numbered 1, 2, 3, … and handled in this order. Of any type that implements `Display`. | required |
/// | `id` | field | What makes it this event: whatever is staged with an id that was handled before counts as a repetition. Of any type that implements `Display`. | a random UUID |
/// | `event_type` | text, or `"field:"` and a field | What happened, for people and for routers. | the name of the struct |
/// | `aggregate_type` | text | What kind of thing the key names, for people and for routers. It is no part of the key. | the name of the key's field without `_id` |
/// | `producer` | field | Who sends the event, where several producers send events of one key. Of any type that implements `Display`. | none |
/// | `clock` | field | With `producer`: how many events of each producer it follows, with itself (`order = "causal"`). A `VectorClock`, or a map from names to counts. | none |
/// | `seq` | field | With `producer` and `time`: as which of its producer's events of the key it is sent (`order = "lamport"`). A `u32`, `u64`, `i32` or `i64`. | none |
/// | `time` | field | The time of its producer's clock: such an integer, or, without `producer` and `seq`, a `HybridTime`. | none |
/// | `crate` | path | Where `ordered_events` is found, for crates that re-export it. | `"::ordered_events"` |
///
/// Above a field, `#[ordered(header = "x-tenant")]`: the field is also a header of the message, as text. Where it is an
/// `Option`, there is no header for `None`.
///
/// A **field** is named as for `#[ordered_handler]`.
///
/// # Clocks
///
/// With `clock` or `time` the struct also implements `StampedEvent`: `event.stamp(&mut clock)` takes the clock of the
/// producer one event further, and writes what it says to these fields. The names of the options are those of the
/// handler.
///
/// | options | the clock | for |
/// |---|---|---|
/// | `producer = "author", clock = "vector"` | `VectorClock`, one for each key | `order = "causal"` |
/// | `producer = "branch", seq = "seq", time = "time"` | `LamportProducer`, one for each key | `order = "lamport"` |
/// | `time = "time"` | `LamportClock`, or `HybridClock` where the field is a `HybridTime` | people, and systems that compare times |
///
/// An event with a `producer` is not published before it was stamped: its consumers could not put it in order.
#[proc_macro_derive(OrderedEvent, attributes(ordered))]
pub fn ordered_event(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    event::derive(item.into()).into()
}

fn attribute(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut options = Options::parse(options, &mut errors);
    let Some(mut function) = errors.keep(Function::parse(item.clone())) else {
        return quote!(#errors #item);
    };
    valid::options(&options, &mut errors);
    options.complete();
    let can_be_made = valid::signature(&mut function.sig, &options, &mut errors);
    if matches!(function.sig.inputs.first(), Some(FnArg::Receiver(_))) {
        // It stands in an impl, where no struct can.
        return quote!(#errors #item);
    }
    let model = Model::new(function, options);
    let (key, seq) = (&model.options.key, model.options.seq.as_ref());
    let is_placed = seq.is_some() || model.options.has_no_seq();
    let handler = match key {
        _ if !can_be_made => fallback::handler(&model),
        Some(key) if is_placed && errors.is_empty() => {
            let mut reads = expand::decode(&model, key, seq);
            reads.extend(expand::place(&model, key, seq));
            reads.extend(expand::places(&model, key, seq));
            reads.extend(expand::stamp(&model));
            expand::handler(&model, &reads)
        }
        _ => expand::handler(&model, &fallback::decode(&model)),
    };
    quote!(#errors #handler)
}
