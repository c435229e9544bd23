//! Where the events of producers are kept, and who is asked for those that have not come.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ordered_events::core::worker::{MissingEvents, Repair};
use ordered_events::{Control, Outgoing, Publisher};

use crate::support::producers::Event;

/// What the archive says when events are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing yet.
    Nothing,
    /// It sends them again, as far as it has them.
    Again,
    /// They cannot be sent again.
    Lost,
}

pub(crate) const WHY: &str = "the archive has burnt down";

/// Has all events of all producers, whether they were published or not.
#[derive(Clone)]
pub(crate) struct Archive {
    publisher: Publisher,
    answer: Arc<Mutex<Answer>>,
    kept: Arc<Mutex<Vec<Event>>>,
    asked: Arc<Mutex<Vec<MissingEvents>>>,
}

impl Archive {
    /// One that says nothing yet.
    pub(crate) fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
            answer: Arc::new(Mutex::new(Answer::Nothing)),
            kept: Arc::default(),
            asked: Arc::default(),
        }
    }

    pub(crate) fn kept(&self) -> Vec<Event> {
        locked(&self.kept).clone()
    }

    pub(crate) fn answers(&self, answer: Answer) {
        *locked(&self.answer) = answer;
    }

    pub(crate) fn keeps(&self, event: &Event) {
        locked(&self.kept).push(event.clone());
    }

    /// What it was asked for of a producer of a key: the first and the last event.
    pub(crate) fn asked_for(&self, key: &str, producer: &str) -> Vec<(u64, u64)> {
        let asked = locked(&self.asked);
        let asked = asked.iter().filter(|missing| {
            missing.key.as_str() == key && missing.producer.as_deref() == Some(producer)
        });
        asked
            .map(|missing| (missing.from.get(), missing.to.get()))
            .collect()
    }
}

#[async_trait]
impl Repair for Archive {
    async fn ask(&self, missing: MissingEvents) -> Result<(), Box<dyn Error + Send + Sync>> {
        locked(&self.asked).push(missing.clone());
        let producer = missing.producer.ok_or("it is not said whose")?;
        let (key, from, to) = (missing.key, missing.from.get(), missing.to.get());
        let answer = *locked(&self.answer);
        let sent = match answer {
            Answer::Nothing => Vec::new(),
            Answer::Again => {
                let kept = locked(&self.kept);
                let is_asked_for = |event: &&Event| {
                    let is_its = event.key == key.as_str() && event.producer == producer;
                    is_its && (from..=to).contains(&event.seq)
                };
                kept.iter()
                    .filter(is_asked_for)
                    .map(Event::outgoing)
                    .collect()
            }
            Answer::Lost => {
                let lost = Control::LostOf {
                    producer,
                    from: missing.from,
                    to: missing.to,
                    why: WHY.to_owned(),
                };
                vec![Outgoing::new(key.clone(), lost.envelope(&key))]
            }
        };
        for outgoing in sent {
            self.publisher.enqueue(outgoing).await?.await?;
        }
        Ok(())
    }

    fn knows_producers(&self) -> bool {
        true
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
