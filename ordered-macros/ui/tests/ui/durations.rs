mod dedup_ttl_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", dedup_ttl = "0d")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_empty {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_fraction {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "1.5h")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_not_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", dedup_ttl = 24)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_too_long {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "4000d")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_unknown_unit {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "30sec")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_without_unit {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "30")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod duration_wrong_order {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "30s1m")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod timeout_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", timeout = "0s")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
