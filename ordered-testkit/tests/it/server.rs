use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use ordered_testkit::server::{
    KafkaServer, Port, PostgresServer, RabbitServer, RedisServer, ServerError, SqsServer,
};
use ordered_testkit::{eventually, unique};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn redis(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(format!("{command}\r\n").as_bytes())
        .await?;
    let mut answer = vec![0; 1024];
    let read = stream.read(&mut answer).await?;
    answer.truncate(read);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn redis_keeps_its_port_and_data_over_a_kill() {
    let mut server = RedisServer::start().await.unwrap();
    let port = server.port();
    assert_eq!(redis(port, "SET a 1").await.unwrap(), "+OK\r\n");
    server.kill();
    assert!(redis(port, "GET a").await.is_err());
    server.start_again().await.unwrap();
    assert_eq!(redis(port, "GET a").await.unwrap(), "$1\r\n1\r\n");
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    assert_eq!(redis(port, "GET a").await.unwrap(), "$1\r\n1\r\n");
}

#[tokio::test]
async fn redis_without_persistence_forgets() {
    let builder = RedisServer::builder().no_persistence();
    let mut server = builder.start().await.unwrap();
    redis(server.port(), "SET a 1").await.unwrap();
    server.kill();
    server.start_again().await.unwrap();
    assert_eq!(redis(server.port(), "GET a").await.unwrap(), "$-1\r\n");
}

#[tokio::test]
async fn a_paused_redis_answers_when_it_goes_on() {
    let server = RedisServer::start().await.unwrap();
    server.pause();
    let port = server.port();
    let asked = tokio::spawn(async move { redis(port, "PING").await });
    let mut asked = std::pin::pin!(asked);
    assert!(
        timeout(Duration::from_millis(100), &mut asked)
            .await
            .is_err()
    );
    server.resume();
    assert_eq!(asked.await.unwrap().unwrap(), "+PONG\r\n");
}

#[tokio::test]
async fn a_wrong_setting_is_an_error_with_the_words_of_the_server() {
    let builder = RedisServer::builder().setting("maxmemory-policy", "nonsense");
    let error = builder.start().await.unwrap_err();
    assert!(matches!(error, ServerError::NotReady { .. }), "{error}");
    assert!(error.to_string().contains("maxmemory-policy"), "{error}");
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = RedisServer::start().await.unwrap();
    let port = server.port();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn rabbit_comes_back_with_its_data_after_kill_and_stop() {
    let mut server = RabbitServer::exclusive().await.unwrap();
    let port = server.port();
    server.ctl(&["add_vhost", "kept"]).await.unwrap();
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    server.start_again().await.unwrap();
    let vhosts = server.ctl(&["list_vhosts"]).await.unwrap();
    assert!(vhosts.contains("kept"), "{vhosts}");
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    let error = server.ctl(&["no_such_command"]).await.unwrap_err();
    assert!(matches!(error, ServerError::Command { .. }), "{error}");
}

#[tokio::test]
async fn several_rabbits_run_at_once() {
    let (first, second) = tokio::join!(RabbitServer::exclusive(), RabbitServer::shared());
    assert_ne!(first.unwrap().url(), second.unwrap().url());
}

#[tokio::test]
async fn eventually_waits_until_it_holds() {
    let mut asked = 0;
    eventually("asked three times", async || {
        asked += 1;
        asked == 3
    })
    .await;
    assert_ne!(unique("queue"), unique("queue"));
}

/// Set in the process that [`a_server_dies_with_the_process_that_started_it`] starts.
const ABORTING: &str = "ORDERED_TESTKIT_ABORTING";

#[tokio::test]
async fn helper_that_aborts_with_a_server_running() {
    if std::env::var_os(ABORTING).is_some() {
        let server = RedisServer::shared().await.unwrap();
        println!("port={}", server.port());
        std::process::abort();
    }
}

#[tokio::test]
async fn a_server_dies_with_the_process_that_started_it() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["helper_that_aborts", "--nocapture"])
        .env(ABORTING, "yes");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, port) = printed.split_once("port=").expect(&printed);
    let port = port.lines().next().unwrap().parse().unwrap();
    eventually("the server is gone", async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn sqs_keeps_its_queues_over_a_stop() {
    let mut server = SqsServer::start().await.unwrap();
    let attributes = [("VisibilityTimeout", "7")];
    server.create_queue("q", &attributes).await.unwrap();
    server.stop().await.unwrap();
    let port = server.port();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    server.start_again().await.unwrap();
    let url = server.call("GetQueueUrl", r#"{"QueueName":"q"}"#).await;
    assert!(url.unwrap().contains("/q"));
    let error = server.call("GetQueueUrl", r#"{"QueueName":"none"}"#).await;
    assert!(matches!(error, Err(ServerError::Command { .. })));
}

#[tokio::test]
async fn postgres_keeps_its_port_and_what_was_committed_over_a_kill_and_a_stop() {
    let mut server = PostgresServer::start().await.unwrap();
    let url = server.database().await.unwrap();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let insert = "create table if not exists t (n int); insert into t values (1)";
    let count = "select count(*) from t";
    server.sql(&database, insert).await.unwrap();
    server.kill();
    assert!(server.sql(&database, count).await.is_err());
    server.start_again().await.unwrap();
    assert_eq!(server.sql(&database, count).await.unwrap(), "1\n");
    server.sql(&database, insert).await.unwrap();
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    assert_eq!(server.sql(&database, count).await.unwrap(), "2\n");
    assert_eq!(server.url(&database), url);
}

#[tokio::test]
async fn a_paused_postgres_answers_when_it_goes_on() {
    let server = PostgresServer::start().await.unwrap();
    server.pause();
    let mut asked = std::pin::pin!(server.sql("postgres", "select 1"));
    let early = timeout(Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err());
    server.resume();
    assert_eq!(asked.await.unwrap(), "1\n");
}

#[tokio::test]
async fn a_setting_and_a_mistake_reach_postgres_and_come_back() {
    let builder = PostgresServer::builder().setting("max_connections", "7");
    let server = builder.start().await.unwrap();
    let set = server.sql("postgres", "show max_connections").await;
    assert_eq!(set.unwrap(), "7\n");
    let error = server.sql("postgres", "select nothing").await.unwrap_err();
    assert!(error.to_string().contains("\"nothing\""), "{error}");
    let wrong = PostgresServer::builder().setting("shared_buffers", "much");
    let error = wrong.start().await.unwrap_err().to_string();
    assert!(error.contains("shared_buffers"), "{error}");
}

#[tokio::test]
async fn kafka_comes_back_with_its_topics_after_kill_and_stop() {
    let mut server = KafkaServer::start().await.unwrap();
    let port = server.port();
    let topic = unique("topic");
    server
        .create_topic(&topic, 3, &[("retention.ms", "1000")])
        .await
        .unwrap();
    for in_order in [false, true] {
        if in_order {
            server.stop().await.unwrap();
        } else {
            server.kill();
        }
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
        server.start_again().await.unwrap();
        assert_eq!(server.port(), port);
        let again = server.create_topic(&topic, 3, &[]).await.unwrap_err();
        assert!(again.to_string().contains("already exists"), "{again}");
    }
}

#[tokio::test]
async fn a_setting_that_kafka_refuses_is_an_error_with_its_words() {
    let builder = KafkaServer::builder().setting("num.io.threads", "nonsense");
    let error = builder.start().await.unwrap_err();
    assert!(error.to_string().contains("num.io.threads"), "{error}");
}

#[test]
fn a_claimed_port_is_nobody_elses_and_can_be_listened_on() {
    let ports: Vec<Port> = (0..50).map(|_| Port::claim().unwrap()).collect();
    let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
    assert_eq!(numbers.len(), ports.len());
    for number in numbers {
        TcpListener::bind(("127.0.0.1", number)).unwrap();
    }
}
