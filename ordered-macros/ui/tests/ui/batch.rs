mod batch_beyond_lane_depth {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = 100, lane_depth = 32)]
    async fn apply_order(events: Vec<OrderEvent>) {
        drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod batch_by_reference {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = 100)]
    async fn apply_order(events: &[OrderEvent]) {
        drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod batch_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = "100")]
    async fn apply_order(events: Vec<OrderEvent>) {
        drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod batch_of_one_event {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = 100)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod batch_too_large {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = 1_001)]
    async fn apply_order(events: Vec<OrderEvent>) {
        drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod batch_with_one_attempt {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = 100, max_attempts = 1)]
    async fn apply_order(events: Vec<OrderEvent>) {
        drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod batch_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", batch = 0)]
    async fn apply_order(events: Vec<OrderEvent>) {
        drop(events.iter().map(|event| (&event.order_id, event.seq)).count());
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
