//! SQS as a function from a request to an answer, for what no emulator can be made to say. Time is paused, so that
//! waiting costs nothing and comes out the same every time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::body::SdkBody;
use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Settlement, Transport, TransportError,
};
use ordered_sqs::{Sqs, SqsBuilder};
use serde_json::{Value, json};
use tokio::time::Instant;

/// A request: what was asked, when, counted from the start, and the body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) at: Duration,
    pub(crate) body: Value,
}

impl Call {
    /// Of a batch: the receipts, or else the bodies.
    pub(crate) fn entries(&self) -> Vec<&str> {
        let entries = self.body["Entries"].as_array().expect("a batch");
        let text = |entry: &'_ Value| entry.get("ReceiptHandle").is_some();
        let name = |entry| {
            if text(entry) {
                "ReceiptHandle"
            } else {
                "MessageBody"
            }
        };
        entries
            .iter()
            .map(|entry| entry[name(entry)].as_str().unwrap())
            .collect()
    }
}

type Answer = dyn Fn(&Call) -> Option<(u16, Value)> + Send + Sync;

/// A queue of a fake.
#[derive(Clone)]
pub(crate) struct FakeSqs {
    calls: Arc<Mutex<Vec<Call>>>,
    messages: Arc<Mutex<VecDeque<Value>>>,
    attributes: Arc<BTreeMap<String, String>>,
    answer: Arc<Answer>,
    begun: Instant,
}

impl FakeSqs {
    /// With messages to be received, and answers to the calls for which `answer` has one; the others succeed.
    pub(crate) fn new(
        messages: &[&str],
        answer: impl Fn(&Call) -> Option<(u16, Value)> + Send + Sync + 'static,
    ) -> Self {
        Self {
            calls: Arc::default(),
            messages: Arc::new(Mutex::new(
                messages.iter().map(|body| message(body)).collect(),
            )),
            attributes: Arc::new([("VisibilityTimeout".to_owned(), "30".to_owned())].into()),
            answer: Arc::new(answer),
            begun: Instant::now(),
        }
    }

    pub(crate) fn attributes<const N: usize>(mut self, attributes: [(&str, &str); N]) -> Self {
        let owned = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.attributes = Arc::new(owned.into());
        self
    }

    pub(crate) fn connect(&self, queue: &str) -> SqsBuilder {
        let sqs = SharedHttpConnector::new(self.clone());
        let http = http_client_fn(move |_, _| sqs.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http)
            .build();
        Sqs::with_client(Client::from_conf(config)).queue(queue)
    }

    pub(crate) async fn start(&self) -> Sqs {
        let consumer = self.connect("q").await.unwrap();
        consumer
            .start(ConsumeOptions { max_unsettled: 100 })
            .await
            .unwrap();
        consumer
    }

    /// The calls of this action so far.
    pub(crate) fn calls(&self, action: &str) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        let calls = calls.iter().filter(|call| call.action == action);
        calls.cloned().collect()
    }

    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let target = request.headers().get("x-amz-target").unwrap();
        let call = Call {
            action: target.split('.').next_back().unwrap().to_owned(),
            at: self.begun.elapsed(),
            body: serde_json::from_slice(request.body().bytes().unwrap()).unwrap(),
        };
        let answer = (self.answer)(&call).unwrap_or_else(|| (200, self.usual(&call)));
        self.calls.lock().unwrap().push(call);
        let (status, body) = answer;
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()))
    }

    fn usual(&self, call: &Call) -> Value {
        match call.action.as_str() {
            "GetQueueUrl" => json!({"QueueUrl": format!("http://sqs/{}", call.body["QueueName"])}),
            "GetQueueAttributes" => json!({"Attributes": &*self.attributes}),
            "ReceiveMessage" => {
                let most = usize::try_from(call.body["MaxNumberOfMessages"].as_u64().unwrap());
                let mut messages = self.messages.lock().unwrap();
                let count = most.unwrap().min(messages.len());
                json!({"Messages": messages.drain(..count).collect::<Vec<_>>()})
            }
            "SendMessage" => json!({"MessageId": "sent", "MD5OfMessageBody": "x"}),
            action if action.ends_with("Batch") => {
                let entries = call.body["Entries"].as_array().unwrap().iter();
                let done = entries.map(|entry| {
                    json!({"Id": entry["Id"], "MessageId": "sent", "MD5OfMessageBody": "x"})
                });
                json!({"Successful": done.collect::<Vec<_>>(), "Failed": []})
            }
            _ => json!({}),
        }
    }
}

impl HttpConnector for FakeSqs {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(self.respond(&request)))
    }
}

impl fmt::Debug for FakeSqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeSqs").finish_non_exhaustive()
    }
}

/// A message; its receipt is `r-` and the body.
fn message(body: &str) -> Value {
    json!({
        "MessageId": format!("id-{body}"), "ReceiptHandle": format!("r-{body}"), "Body": body,
        "Attributes": {"SentTimestamp": "1700000000000", "ApproximateReceiveCount": "1"},
    })
}

/// A batch of which this receipt, or body, fails with a code.
pub(crate) fn partly(call: &Call, failing: &str, code: &str, sender_fault: bool) -> (u16, Value) {
    let ids = call.body["Entries"].as_array().unwrap().iter();
    let entry = |(id, entry): (&Value, &str)| {
        let id = &id["Id"];
        if entry == failing {
            Err(json!({"Id": id, "Code": code, "SenderFault": sender_fault, "Message": "no"}))
        } else {
            Ok(json!({"Id": id, "MessageId": "sent", "MD5OfMessageBody": "x"}))
        }
    };
    let (done, failed): (Vec<_>, Vec<_>) =
        ids.zip(call.entries()).map(entry).partition(Result::is_ok);
    let done: Vec<Value> = done.into_iter().flatten().collect();
    let failed: Vec<Value> = failed.into_iter().filter_map(Result::err).collect();
    (200, json!({"Successful": done, "Failed": failed}))
}

/// An error of the whole call.
pub(crate) fn error(status: u16, code: &str) -> (u16, Value) {
    (
        status,
        json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "no"}),
    )
}

pub(crate) async fn take(consumer: &Sqs, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(consumer.receive(count - taken.len()).await.unwrap());
    }
    taken
}

pub(crate) async fn settle(
    consumer: &Sqs,
    deliveries: &[Delivery],
    disposition: &Disposition,
) -> Result<(), TransportError> {
    let settlements = deliveries.iter().map(|delivery| Settlement {
        token: delivery.token,
        disposition: disposition.clone(),
    });
    consumer.settle(settlements.collect()).await
}
