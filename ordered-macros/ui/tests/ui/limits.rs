mod max_backoff_below_backoff {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", backoff = "1m", max_backoff = "30s")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod max_delay_without_order_lamport {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        branch: String,
        seq: u64,
        time: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", max_delay = "5s")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.branch, event.seq, event.time);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod max_producers_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        author: String,
        vector: std::collections::BTreeMap<String, u64>,
    }

    #[ordered_handler(key = "order_id", order = "causal", producer = "author", clock = "vector", max_producers = 0)]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.author, event.vector);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod producer_lease_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        branch: String,
        seq: u64,
        time: u64,
    }

    #[ordered_handler(key = "order_id", order = "lamport", producer = "branch", seq = "seq", time = "time", producer_lease = "0s")]
    async fn apply_order(event: OrderEvent) {
        let _ = (event.order_id, event.branch, event.seq, event.time);
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
