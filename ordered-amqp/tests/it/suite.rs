//! The transport suite, for both kinds of queues.

mod classic {
    use ordered_amqp::QueueKind;

    use crate::support::Queue;

    ordered_testkit::transport_suite!(async || Queue::of(QueueKind::Classic).await);
}

mod quorum {
    use ordered_amqp::QueueKind;

    use crate::support::Queue;

    ordered_testkit::transport_suite!(async || Queue::of(QueueKind::Quorum).await);
}

mod partitions {
    use crate::support::Queue;

    ordered_testkit::transport_suite!(async || Queue::partitioned(4).await);
}
