use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use futures_util::{StreamExt, stream};
use ordered_core::transport::{BrokerDeadLetter, DeadLetters, Token, TransportError};

use crate::calls::{AT_ONCE, BATCH, Change, change};
use crate::dead_letters;
use crate::failure::{Failure, FailureKind};
use crate::link::Link;
use crate::message::{Incoming, decode, encode};
use crate::names;
use crate::options::seconds;
use crate::queue_attributes::QueueAttributes;

/// How long what was taken is out of sight of others.
const HOLD: Duration = Duration::from_secs(120);
/// How long one call waits for messages. With a wait SQS asks all of its servers, so that an answer without anything
/// new is the end:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>.
const WAIT: Duration = Duration::from_secs(1);

/// The dead letters of a queue of SQS. They are received, and out of sight of others meanwhile.
pub struct SqsDeadLetters {
    link: Arc<Link>,
    letters: dead_letters::DeadLetters,
    // A std mutex: it is held for a few map accesses.
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    here: BTreeMap<u64, Incoming>,
    /// By the id of the message: one that comes again, because it was out of sight for long, is the same.
    known: HashMap<String, u64>,
    /// Those that were put back, should they come again all the same.
    gone: HashSet<String>,
}

impl SqsDeadLetters {
    pub(crate) async fn open(link: Arc<Link>) -> Result<Self, TransportError> {
        let attributes = QueueAttributes::ask(&link).await?;
        let letters = dead_letters::DeadLetters::open(&link, &attributes).await?;
        Ok(Self {
            link,
            letters,
            taken: Mutex::default(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, Failure { kind, words }: Failure) -> TransportError {
        let queue = &self.letters.queue;
        let text = format!("SQS: the queue `{queue}`: cannot {doing}: {words}");
        match kind {
            FailureKind::Passing | FailureKind::Unreachable => TransportError::unavailable(text),
            _ => TransportError::fatal(text),
        }
    }

    async fn receive(&self, count: usize) -> Result<Vec<Incoming>, TransportError> {
        let call = self
            .link
            .client
            .receive_message()
            .queue_url(&self.letters.url)
            .max_number_of_messages(i32::try_from(count.min(BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(WAIT))
            .visibility_timeout(seconds(HOLD))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let answer = call.send().await.map_err(|error| {
            let doing = "receive its messages (sqs:ReceiveMessage)";
            self.failed(doing, Failure::of(&error))
        })?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(decode).collect())
    }

    /// Sends the letter to the queue that it came from, and removes it.
    async fn put_back(&self, token: Token) -> Result<(), TransportError> {
        let letter = self.taken().here.get(&token.0).cloned();
        let Some(letter) = letter else {
            return Err(TransportError::fatal(
                "the letter is not held here any more",
            ));
        };
        let mut envelope = letter.envelope.clone();
        for name in [
            names::REASON,
            names::REASON_TEXT,
            names::QUEUE,
            names::MESSAGE_ID,
        ] {
            envelope.headers.remove(name);
        }
        let message = encode(&envelope, letter.binary.clone());
        let mut call = self.link.client.send_message().queue_url(&self.link.url);
        if self.link.is_fifo() {
            let group = letter.group().unwrap_or("dead-letters");
            call = call.message_group_id(group);
            // That of the event itself may be remembered, and the queue would drop it without a word.
            call = call.message_deduplication_id(&letter.message_id);
        }
        let sent = call
            .message_body(message.body)
            .set_message_attributes(Some(message.attributes))
            .send()
            .await;
        sent.map_err(|error| {
            let doing = format!("send to `{}` (sqs:SendMessage)", self.link.queue);
            self.failed(&doing, Failure::of(&error))
        })?;
        let changes = [(letter.receipt.clone(), Change::Delete)];
        let mut deleted = change(&self.link.client, &self.letters.url, &changes).await;
        {
            let mut taken = self.taken();
            taken.here.remove(&token.0);
            taken.gone.insert(letter.message_id);
        }
        match deleted.pop() {
            Some(Err(failure)) => Err(self.failed(
                "delete a letter that was put back (sqs:DeleteMessage), so that it is in both queues",
                failure,
            )),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl DeadLetters for SqsDeadLetters {
    fn queue(&self) -> &str {
        &self.letters.queue
    }

    async fn count(&self) -> Result<u64, TransportError> {
        let (ready, hidden) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let call = self
            .link
            .client
            .get_queue_attributes()
            .queue_url(&self.letters.url)
            .attribute_names(ready.clone())
            .attribute_names(hidden.clone());
        let answer = call.send().await.map_err(|error| {
            let doing = "read its attributes (sqs:GetQueueAttributes)";
            self.failed(doing, Failure::of(&error))
        })?;
        let attributes = answer.attributes.unwrap_or_default();
        let number = |name| {
            let text = attributes.get(&name);
            text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        };
        Ok(number(ready) + number(hidden))
    }

    async fn take(&self, max: usize) -> Result<Vec<BrokerDeadLetter>, TransportError> {
        let mut letters = Vec::new();
        while letters.len() < max {
            let messages = self.receive(max - letters.len()).await?;
            let mut taken = self.taken();
            let before = letters.len();
            for message in messages {
                let next = taken.known.len() as u64;
                let token = *taken
                    .known
                    .entry(message.message_id.clone())
                    .or_insert(next);
                let is_new = token == next && !taken.gone.contains(&message.message_id);
                if is_new {
                    let envelope = message.envelope.clone();
                    letters.push(BrokerDeadLetter::new(Token(token), envelope));
                }
                if is_new || taken.here.contains_key(&token) {
                    // The newest receipt is the one that counts.
                    taken.here.insert(token, message);
                }
            }
            drop(taken);
            if letters.len() == before {
                break;
            }
        }
        Ok(letters)
    }

    async fn redrive(&self, tokens: &[Token]) -> Vec<Result<(), TransportError>> {
        let mut puts = Vec::with_capacity(tokens.len());
        for token in tokens {
            puts.push(self.put_back(*token));
        }
        let at_once = if self.link.is_fifo() { 1 } else { AT_ONCE };
        stream::iter(puts).buffered(at_once).collect().await
    }

    async fn close(&self) -> Result<(), TransportError> {
        let here = std::mem::take(&mut self.taken().here);
        let show = |letter: Incoming| (letter.receipt, Change::Hide(0));
        let changes: Vec<_> = here.into_values().map(show).collect();
        let results = change(&self.link.client, &self.letters.url, &changes).await;
        let failure = results.into_iter().find_map(Result::err);
        match failure.filter(|failure| failure.kind != FailureKind::Gone) {
            Some(failure) => Err(self.failed(
                "let go of what was looked at (sqs:ChangeMessageVisibility): it is out of sight for two minutes",
                failure,
            )),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for SqsDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsDeadLetters")
            .field("queue", &self.letters.queue)
            .finish_non_exhaustive()
    }
}
