mod integer_beyond_u64 {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", max_held = 99999999999999999999)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod integer_constant {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", max_attempts = u32::MAX)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod integer_fraction {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", lane_depth = 1.5)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod integer_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", max_held = "10000")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod integer_negative {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", max_attempts = -1)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod integer_too_large {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", first_seq = 9007199254740992)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod integer_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", max_attempts = 0)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
