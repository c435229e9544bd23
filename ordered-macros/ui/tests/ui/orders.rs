mod clock_without_order_causal {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", seq = "seq", clock = "vector")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod coalesce_not_a_bool {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", order = "monotonic", coalesce = "yes")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod coalesce_without_versions {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", coalesce = true)]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_arrival_with_a_gap_policy {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", id = "seq", order = "arrival", on_gap = "skip", gap_timeout = "30s", on_repeat = "conflict")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_arrival_with_a_seq {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", id = "seq", order = "arrival")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_arrival_without_id {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", order = "arrival")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_causal_with_a_first_seq {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        author: String,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", order = "causal", producer = "author", clock = "vector", first_seq = 5)]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.author, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_causal_with_a_new_state {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        author: String,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", order = "causal", producer = "author", clock = "vector", on_state_loss = "adopt")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.author, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_causal_with_a_seq {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        author: String,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", order = "causal", producer = "author", clock = "vector", seq = "author")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.author, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_causal_without_a_clock {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        author: String,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", order = "causal", producer = "author")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.author, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_causal_without_producers {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        author: String,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", order = "causal")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.author, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_lamport_with_a_clock {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        branch: String,
        seq: u64,
        time: u64,
    }

    #[ordered_handler(key = "order_id", order = "lamport", producer = "branch", seq = "seq", time = "time", clock = "time")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.branch, event.seq, event.time);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_lamport_with_a_first_seq {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        branch: String,
        seq: u64,
        time: u64,
    }

    #[ordered_handler(key = "order_id", order = "lamport", producer = "branch", seq = "seq", time = "time", first_seq = 5)]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.branch, event.seq, event.time);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_lamport_without_a_time {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        branch: String,
        seq: u64,
        time: u64,
    }

    #[ordered_handler(key = "order_id", order = "lamport", producer = "branch", seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.branch, event.seq, event.time);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_monotonic_with_a_batch {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", order = "monotonic", commit_window = 2, first_seq = 5, on_stale = "drop")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod order_unknown {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", order = "fifo")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.seq);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
