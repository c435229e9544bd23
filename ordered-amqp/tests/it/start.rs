//! What a wrong setting says.

use lapin::types::AMQPValue;
use ordered_amqp::{Amqp, QueueKind};
use ordered_core::transport::{ConsumeOptions, Transport, TransportError, TransportErrorKind};
use ordered_testkit::server::RabbitServer;
use ordered_testkit::unique;

use crate::support::{Queue, numbered, take};

const OPTIONS: ConsumeOptions = ConsumeOptions { max_unsettled: 10 };

/// The words of an error that will not pass.
fn fatal<T>(result: Result<T, TransportError>) -> String {
    let error = result.err().expect("it is refused");
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    error.to_string()
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let server = RabbitServer::shared().await.unwrap();
    let url = server.url().replace("guest:guest", "guest:s3cret");
    let error = fatal(Amqp::connect(url).queue("q").await);
    assert!(
        error.contains(r#"refuses the user "guest": check"#),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn an_unknown_vhost_is_named() {
    let url = RabbitServer::shared().await.unwrap().url();
    for (vhost, named) in [("/nowhere", "nowhere"), ("/", "")] {
        let url = url.replace("/%2f", vhost);
        let error = fatal(Amqp::connect(url).queue("q").await);
        assert!(
            error.contains(&format!("has no vhost {named:?}")),
            "{error}"
        );
        assert!(error.contains("written %2f or left out"), "{error}");
    }
}

#[tokio::test]
async fn an_address_without_a_vhost_is_that_of_the_default_one() {
    let mut queue = Queue::shared().await;
    queue.url = queue.url.replace("/%2f", "");
    queue.publish(numbered(1)).await;
    take(&queue.started(10).await, 1).await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_an_error() {
    // A port that nobody listens on, because it is bound.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let url = format!("amqp://me:s3cret@127.0.0.1:{port}");
    let error = fatal(Amqp::connect(url).queue("q").await);
    assert!(
        error.contains("cannot be reached at amqp://me:***@127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_queue_is_an_error_unless_it_may_be_declared() {
    let queue = Queue::shared().await;
    let error = fatal(queue.builder().declare(false).await);
    assert!(error.contains("there is no queue"), "{error}");
    assert!(error.contains("`declare(true)`"), "{error}");
    queue.builder().await.unwrap();
    queue.builder().declare(false).await.unwrap();
}

#[tokio::test]
async fn a_queue_of_another_kind_is_an_error_if_the_kind_was_asked_for() {
    let queue = Queue::shared().await;
    let client = queue.client().await;
    client.declare(&queue.name, &[]).await;
    let error = fatal(queue.builder().kind(QueueKind::Quorum).await);
    assert!(
        error.contains("exists with other arguments: leave out `kind`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_queue_that_is_there_is_used_as_it_is() {
    let queue = Queue::shared().await;
    let client = queue.client().await;
    let arguments = [("x-max-priority", AMQPValue::LongInt(3))];
    client.declare(&queue.name, &arguments).await;
    queue.publish(numbered(1)).await;
    take(&queue.started(10).await, 1).await;
}

#[tokio::test]
async fn without_a_word_the_queue_is_a_quorum_queue() {
    let queue = Queue::shared().await;
    queue.builder().await.unwrap();
    let server = RabbitServer::shared().await.unwrap();
    let queues = server.ctl(&["list_queues", "name", "type"]).await.unwrap();
    for name in [queue.name.clone(), format!("{}.dead", queue.name)] {
        let kind = queues.lines().find_map(|line| line.strip_prefix(&name));
        assert!(kind.is_some_and(|kind| kind.contains("quorum")), "{queues}");
    }
}

#[tokio::test]
async fn a_transport_is_started_once_and_used_while_it_is_open() {
    let queue = Queue::shared().await;
    let transport = queue.builder().await.unwrap();
    assert!(fatal(transport.receive(1).await).contains("not started"));
    transport.start(OPTIONS).await.unwrap();
    assert!(fatal(transport.start(OPTIONS).await).contains("started already"));
    // A receive that waits ends with the transport.
    let (received, closed) = tokio::join!(transport.receive(1), transport.close());
    closed.unwrap();
    assert!(fatal(received).contains("closed"));
    assert!(fatal(transport.start(OPTIONS).await).contains("closed"));
}

#[tokio::test]
async fn a_start_that_failed_can_be_repeated() {
    let queue = Queue::shared().await;
    let transport = queue.builder().declare(false).await;
    assert!(transport.is_err());
    queue.builder().await.unwrap();
    let transport = queue.builder().declare(false).await.unwrap();
    let client = queue.client().await;
    client.delete(&queue.name).await;
    assert!(fatal(transport.start(OPTIONS).await).contains("there is no queue"));
    client.declare(&queue.name, &[]).await;
    transport.start(OPTIONS).await.unwrap();
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_without_the_feature_is_an_error() {
    let error = fatal(Amqp::connect("amqps://broker").queue("q").await);
    assert!(error.contains("turn on the feature `tls`"), "{error}");
}

#[tokio::test]
async fn publishing_to_nowhere_is_an_error() {
    use ordered_core::transport::Publish;

    let url = RabbitServer::shared().await.unwrap().url();
    let key = unique("key");
    let publisher = Amqp::connect(url)
        .exchange("amq.direct", &key)
        .await
        .unwrap();
    let error = fatal(publisher.publish(numbered(3)).await);
    assert!(error.contains("no queue takes"), "{error}");
    assert!(error.contains(&key), "{error}");
}
