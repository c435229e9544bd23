mod event_type_is_a_field {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on = "OrderCreated", event_type = "payload.kind")]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

mod event_type_without_on {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", event_type = "header:kind")]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

mod on_empty {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on = "")]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

mod on_not_in_quotes {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on = OrderCreated)]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

mod on_type_given_twice {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on = ["OrderCreated", "OrderShipped", "OrderCreated"])]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

mod on_type_not_text {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on = ["OrderCreated", 5])]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

mod on_without_types {
    use ordered_events::ordered_handler;

    #[derive(serde::Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", on = [])]
    async fn apply_order(_event: OrderEvent) {}

    pub fn main() {}
}

fn main() {}
