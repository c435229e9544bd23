use ordered_events::{Context, HandlerError, State, ordered_handler};
use ordered_testkit::history::{Event, Outcome, What};

use super::temper::{Mood, Temper};
use crate::journal::Journal;
use crate::order::OrderEvent;

/// Writes down that it ran, in whatever mood it is.
#[ordered_handler(key = "order_id", seq = "seq", group = "faults")]
pub(super) async fn apply(
    event: OrderEvent,
    State(temper): State<Temper>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    let mut run = Run::start(journal, &event, &context);
    match temper.on(&event.event_id, context.attempt()) {
        Mood::Calm => {}
        Mood::Hangs => std::future::pending().await,
        Mood::Fails => {
            run.outcome = Outcome::Failed;
            return Err("the database is not there".into());
        }
        Mood::Panics => panic!("a bug in the handler"),
        Mood::Aborts => std::process::abort(),
        Mood::AbortsAfter => {
            run.outcome = Outcome::Done;
            drop(run);
            std::process::abort();
        }
    }
    run.outcome = Outcome::Done;
    Ok(())
}

/// One run, whose end is written down however it ends.
struct Run {
    journal: Journal,
    event: Event,
    worker: String,
    outcome: Outcome,
}

impl Run {
    fn start(journal: Journal, event: &OrderEvent, context: &Context) -> Self {
        let (event, worker) = (Event::from(event), context.worker().as_str().to_owned());
        journal.write(What::Started {
            event: event.clone(),
            worker: worker.clone(),
            fence: Some(context.fence().0),
            run: None,
        });
        Self {
            journal,
            event,
            worker,
            outcome: Outcome::Stopped,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.journal.write(What::Handled {
            event: self.event.clone(),
            worker: std::mem::take(&mut self.worker),
            outcome: self.outcome,
        });
    }
}
