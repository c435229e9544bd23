use ordered_events::{Context, HandlerError};
use ordered_testkit::history::{Event, Outcome, What};

use super::handler_faults::{HandlerFault, HandlerFaults};
use crate::journal::Journal;
use crate::order::OrderEvent;

/// What the handlers do: they write down that they ran, and fail as [`HandlerFaults`] says. What one event does to a
/// run, it does to all of it.
pub(crate) async fn run_handler(
    events: &[OrderEvent],
    handler_faults: HandlerFaults,
    journal: Journal,
    context: &Context,
) -> Result<(), HandlerError> {
    let mut run = Run::start(journal, events, context);
    for (event, context) in events.iter().zip(context.run()) {
        match handler_faults.on(&event.event_id, context.attempt()) {
            HandlerFault::None => {}
            HandlerFault::Hangs => std::future::pending().await,
            HandlerFault::Fails => {
                run.outcome = Outcome::Failed;
                return Err("the database is not there".into());
            }
            HandlerFault::Panics => panic!("a bug in the handler"),
            HandlerFault::Aborts => std::process::abort(),
            HandlerFault::AbortsAfter => {
                run.outcome = Outcome::Done;
                drop(run);
                std::process::abort();
            }
        }
    }
    run.outcome = Outcome::Done;
    Ok(())
}

/// One run, whose end is written down however it ends.
struct Run {
    journal: Journal,
    events: Vec<Event>,
    worker: String,
    outcome: Outcome,
}

impl Run {
    fn start(journal: Journal, events: &[OrderEvent], context: &Context) -> Self {
        let worker = context.worker().as_str().to_owned();
        let events: Vec<Event> = events.iter().map(Event::from).collect();
        let first = (events.len() > 1).then(|| context.seq().get());
        for event in &events {
            journal.write(What::Started {
                event: event.clone(),
                worker: worker.clone(),
                fence: Some(context.fence().0),
                run: first,
            });
        }
        Self {
            journal,
            events,
            worker,
            outcome: Outcome::Stopped,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for event in self.events.drain(..) {
            self.journal.write(What::Handled {
                event,
                worker: self.worker.clone(),
                outcome: self.outcome,
            });
        }
    }
}
