mod derive_aggregate_type_unclear {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "0")]
    struct Placed(String, u64);

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_clock_and_time {
    use ordered_events::core::logical::VectorClock;
    use ordered_events::{OrderedEvent, StampedEvent};
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "post", producer = "author", clock = "vector", time = "time")]
    struct Comment {
        post: String,
        author: String,
        vector: VectorClock,
        time: u64,
    }

    fn send(mut comment: Comment, clock: &mut VectorClock) {
        let _ = comment.stamp(clock);
    }

    pub fn main() {
        let _ = send;
    }
}

mod derive_clock_without_producer {
    use ordered_events::OrderedEvent;
    use ordered_events::core::logical::VectorClock;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "post", clock = "vector")]
    struct Comment {
        post: String,
        vector: VectorClock,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Comment>();
    }
}

mod derive_event_type_empty {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id", event_type = " ")]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_header_of_ordered {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id")]
    struct Placed {
        order_id: String,
        #[ordered(header = "x-ordered-seq")]
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_id_given_twice {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id", id = "cents", id = "cents")]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_key_above_a_field {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    struct Placed {
        #[ordered(key)]
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_key_is_a_header {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "header:x-order")]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_key_missing {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_on_an_enum {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id")]
    enum Placed {
        Online { order_id: String },
        InTheShop { order_id: String },
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_option_misspelled {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id", event_typ = "placed")]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_option_unknown {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id", topic = "orders")]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_option_without_value {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key)]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_options_not_in_parentheses {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered = "order_id"]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_producer_without_clock {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "post", producer = "author")]
    struct Comment {
        post: String,
        author: String,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Comment>();
    }
}

mod derive_seq_given {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id", seq = "cents")]
    struct Placed {
        order_id: String,
        cents: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_seq_without_producer {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "account", seq = "seq", time = "time")]
    struct Booking {
        account: String,
        seq: u64,
        time: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Booking>();
    }
}

mod derive_time_in_a_field_of_a_field {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize)]
    struct Meta {
        at: u64,
    }

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "order_id", time = "meta.at")]
    struct Placed {
        order_id: String,
        meta: Meta,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Placed>();
    }
}

mod derive_time_without_seq {
    use ordered_events::OrderedEvent;
    use serde::Serialize;

    #[derive(Serialize, OrderedEvent)]
    #[ordered(key = "account", producer = "branch", time = "time")]
    struct Booking {
        account: String,
        branch: String,
        time: u64,
    }

    pub fn main() {
        fn is_event<T: OrderedEvent>() {}
        is_event::<Booking>();
    }
}

fn main() {}
