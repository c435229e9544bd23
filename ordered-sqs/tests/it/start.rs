use std::process::Command;
use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, Transport, TransportError, TransportErrorKind};
use ordered_sqs::Sqs;
use ordered_testkit::server::SqsServer;
use ordered_testkit::unique;

use crate::support::queue::Queue;

async fn start(url: &str) -> TransportError {
    let connected = Sqs::connect(url).await;
    let error = match connected {
        Ok(consumer) => consumer
            .start(ConsumeOptions { max_unsettled: 1 })
            .await
            .unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    assert!(!error.to_string().contains("test:test"), "{error}");
    error
}

#[track_caller]
fn says(error: &TransportError, parts: &[&str]) {
    let words = error.to_string();
    assert!(parts.iter().all(|part| words.contains(part)), "{words}");
}

#[tokio::test]
async fn a_missing_queue_is_named_with_its_place() {
    let server = SqsServer::shared().await.unwrap();
    let name = unique("nowhere");
    let error = start(&server.url(&name)).await;
    says(&error, &[&name, "no such queue", "us-east-1", "create it"]);
    let error = Sqs::connect(server.url(&name))
        .publisher()
        .await
        .unwrap_err();
    says(&error, &["no such queue"]);
}

#[tokio::test]
async fn an_endpoint_where_nobody_answers_is_named() {
    // Nothing can listen on port 0.
    let error = start("sqs://test:test@q?region=us-east-1&endpoint=http://127.0.0.1:0").await;
    says(
        &error,
        &["nobody answers", "http://127.0.0.1:0", "us-east-1"],
    );
}

#[tokio::test]
async fn no_queue_at_all_is_an_error_that_says_how_to_name_one() {
    let error = start("sqs://?region=us-east-1&endpoint=http://127.0.0.1:0").await;
    says(&error, &["sqs://QUEUE", ".queue("]);
}

#[tokio::test]
async fn a_name_goes_before_that_of_the_url() {
    let queue = Queue::standard("10").await;
    let other = Sqs::connect(queue.server.url("another")).queue(&queue.name);
    let consumer = other.await.unwrap();
    consumer
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap();
    let again = consumer.start(ConsumeOptions { max_unsettled: 1 }).await;
    says(&again.unwrap_err(), &["started before"]);
}

#[tokio::test]
async fn wrong_options_are_errors() {
    let wrong = [
        Sqs::connect("sqs://q").wait(Duration::from_secs(21)),
        Sqs::connect("sqs://q").wait(Duration::from_millis(1_500)),
        Sqs::connect("sqs://q").receivers(0),
        Sqs::connect("sqs://q").dead_letter_queue("q"),
        Sqs::connect("sqs://q").visibility(Duration::from_secs(43_201)),
    ];
    for builder in wrong {
        assert_eq!(builder.await.unwrap_err().kind(), TransportErrorKind::Fatal);
    }
}

/// Set in the process that [`child`] starts: the URL to start with.
const URL: &str = "ORDERED_SQS_START";

#[tokio::test]
async fn helper_that_prints_why_it_cannot_start() {
    if let Ok(url) = std::env::var(URL) {
        println!("error={}", start(&url).await);
    }
}

/// What a process says that has nothing of AWS in its environment.
async fn child(url: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["helper_that_prints_why", "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(URL, url);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, error) = printed.split_once("error=").expect(&printed);
    error.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn no_region_is_an_error_that_says_how_to_give_one() {
    let error = child("sqs://q").await;
    for part in ["AWS_REGION", "?region="] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn no_credentials_are_an_error_that_says_how_to_give_them() {
    let error = child("sqs://q?region=us-east-1&endpoint=http://127.0.0.1:0").await;
    for part in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "role"] {
        assert!(error.contains(part), "{error}");
    }
}
