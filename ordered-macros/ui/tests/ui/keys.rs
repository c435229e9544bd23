mod key_is_a_json_path {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "$.order_id", seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_is_a_method {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id()", seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_is_id {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order_id", seq = "seq", id = "order_id")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_is_seq {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "seq", seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_malformed_path {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "order..id", seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_missing {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_nested_not_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = order.id, seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_not_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = order_id, seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_of_one_part {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = ["order_id"], seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_of_too_many_parts {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = ["a", "b", "c", "d", "e", "f", "g", "h", "i"], seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_part_given_twice {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = ["tenant", "order_id", "tenant"], seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_part_not_in_quotes {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = ["tenant", order_id], seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod key_without_parts {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = [], seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

mod place_in_json_without_a_name {
    use ordered_events::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct OrderEvent {
        tenant: String,
        order_id: String,
        seq: u64,
    }

    #[ordered_handler(key = "/order//id", seq = "seq")]
    async fn apply_order(event: OrderEvent) {
        drop((event.tenant, event.order_id, event.seq));
    }

    pub fn main() {
        fn is_handler(_: impl Handler) {}
        is_handler(apply_order);
    }
}

fn main() {}
