mod decode_not_in_quotes {
    use ordered_events::*;

    struct MessagePack;

    #[ordered_handler(key = "header:key", seq = "header:seq", decode = MessagePack)]
    async fn apply_order(_event: u64) {}

    pub fn main() {
        drop(MessagePack);
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod decode_with_places_in_json {
    use ordered_events::*;

    struct Number;

    impl Decode<u64> for Number {
        fn decode(_: &core::event::Envelope) -> Result<u64, Malformed> {
            Ok(1)
        }
    }

    #[ordered_handler(key = "/order_id", seq = "header:seq", id = "/id", decode = "Number", envelope = "sns")]
    async fn apply_order(_event: u64) {}

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod envelope_not_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", envelope = sns)]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod envelope_unknown {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", envelope = "cloudevent")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
