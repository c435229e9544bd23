mod gap_timeout_without_on_gap {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", gap_timeout = "30s")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod gap_timeout_zero {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on_gap = "skip", gap_timeout = "0s")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod on_exhausted_unknown {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on_exhausted = "stop")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod on_gap_unknown {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on_gap = skip)]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod on_gap_without_timeout {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on_gap = "halt")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod on_late_unknown {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on_late = "halt")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod on_state_loss_unknown {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on_state_loss = "halt")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod settle_without_start {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", settle = "30s")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
