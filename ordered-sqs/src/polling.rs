use std::time::Duration;

use aws_sdk_sqs::config::Config;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::calls::BATCH;
use crate::client;
use crate::consumer::Consumer;
use crate::failure::{Failure, FailureKind};
use crate::message::decode;
use crate::options::seconds;
use crate::unsettled::{Entry, PollRoom};
use crate::visibility::Visibility;

/// How long to wait for room to become a whole batch, so that a full worker does not ask for messages one by one.
const LINGER: Duration = Duration::from_millis(20);
/// How long an answer may take beyond the time that it is asked to wait.
const ANSWER: Duration = Duration::from_secs(5);
const BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Asks for messages while somebody waits for them and there is room; ends after [`UnsettledMessages::close`], or when
/// the queue is gone.
///
/// [`UnsettledMessages::close`]: crate::unsettled::UnsettledMessages::close
pub(crate) async fn receive(consumer: &Consumer) {
    let mut polls = FuturesUnordered::new();
    let mut pace = Pace::new(consumer.link.options.receivers);
    loop {
        let now = Instant::now();
        let mut wake = pace.not_before;
        while polls.len() < pace.receivers && pace.not_before.is_none_or(|until| until <= now) {
            let count = match consumer.unsettled.room(BATCH) {
                PollRoom::None => {
                    pace.lingers_until = None;
                    break;
                }
                PollRoom::Batch(count) => count,
                PollRoom::Some(count) => {
                    let until = *pace.lingers_until.get_or_insert(now + LINGER);
                    if now < until {
                        wake = Some(until);
                        break;
                    }
                    count
                }
            };
            pace.lingers_until = None;
            consumer.unsettled.ask(count);
            polls.push(poll(consumer, count));
        }
        if consumer.unsettled.is_closing() && polls.is_empty() {
            return;
        }
        let waking = async {
            match wake.filter(|wake| *wake > now) {
                Some(wake) => sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(polled) = polls.next() => match polled {
                Ok(count) => pace.on_messages(consumer, count),
                Err(failure) if failure.kind == FailureKind::NoQueue => {
                    let queue = consumer.queue();
                    let words = failure.words;
                    consumer.unsettled.fail(format!("SQS: the queue `{queue}` is gone: create it again ({words})"));
                    return;
                }
                Err(failure) => pace.on_failure(consumer, &failure),
            },
            () = consumer.unsettled.changed.notified() => {}
            () = waking => {}
        }
    }
}

/// One call for messages; they are among the unsettled ones when it is done.
async fn poll(consumer: &Consumer, count: usize) -> Result<usize, Failure> {
    let wait = consumer.link.options.wait;
    let visibility = consumer.visibility();
    let limits = client::timeouts(wait + ANSWER).build();
    let call = consumer
        .link
        .client
        .receive_message()
        .queue_url(&consumer.link.url)
        .max_number_of_messages(i32::try_from(count).unwrap_or(1))
        .wait_time_seconds(seconds(wait))
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All");
    let own = consumer.attributes.is_visibility_ours;
    let call = call.set_visibility_timeout(own.then(|| seconds(visibility)));
    // A second attempt of this call then gets what a first one got, should its answer be lost.
    let attempt = format!("{:032x}", fastrand::u128(..));
    let call = call.set_receive_request_attempt_id(consumer.attributes.is_fifo.then_some(attempt));
    let asked = Instant::now();
    let answer = call
        .customize()
        .config_override(Config::builder().timeout_config(limits))
        .send()
        .await;
    let answered = Instant::now();
    let messages = answer
        .map(|answer| answer.messages.unwrap_or_default())
        .map_err(|error| Failure::of(&error));
    let visibility = Visibility::new(asked, answered, visibility);
    let entries: Vec<_> = messages
        .iter()
        .flatten()
        .cloned()
        .filter_map(decode)
        .map(|message| Entry {
            message,
            visibility,
            received: answered,
        })
        .collect();
    let came = entries.len();
    consumer.unsettled.arrive(count, entries);
    messages?;
    if came == 0 && answered - asked < BACKOFF {
        // The call did not wait as it was asked to; without this the next ones would follow at once.
        sleep_until(answered + BACKOFF).await;
    }
    Ok(came)
}

/// How many polls at a time, and how soon.
struct Pace {
    receivers: usize,
    max_receivers: usize,
    failures: u32,
    not_before: Option<Instant>,
    lingers_until: Option<Instant>,
}

impl Pace {
    fn new(max_receivers: usize) -> Self {
        Self {
            receivers: 1,
            max_receivers,
            failures: 0,
            not_before: None,
            lingers_until: None,
        }
    }

    /// While there is something there may be more; an empty queue needs one receiver.
    fn on_messages(&mut self, consumer: &Consumer, count: usize) {
        self.receivers = if count == 0 {
            1
        } else {
            self.max_receivers.min(self.receivers + 1)
        };
        if std::mem::take(&mut self.failures) > 0 {
            consumer.answered();
            info!(queue = consumer.queue(), "SQS answers again");
        }
        self.not_before = None;
    }

    fn on_failure(&mut self, consumer: &Consumer, failure: &Failure) {
        consumer.failed(&failure.words);
        self.receivers = 1;
        let longest = (BACKOFF * 2_u32.pow(self.failures.min(10))).min(MAX_BACKOFF);
        let wait = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.not_before = Some(Instant::now() + wait);
        if self.failures == 0 {
            warn!(
                queue = consumer.queue(),
                reason = failure.words,
                "cannot receive from SQS; trying again"
            );
        }
        self.failures = self.failures.saturating_add(1);
    }
}
