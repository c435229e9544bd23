use std::sync::Arc;

use super::item::Item;
use super::lane::Lane;
use super::{AnyEvent, Context, Malformed, Parts, Run, Work};
use crate::handler::ContextParts;
use crate::protocol::Fence;

/// What a run is given.
impl Parts {
    /// The work of a run of one event, for a handler that takes one.
    pub(super) fn one(
        &self,
        group: &Arc<str>,
        fence: Fence,
        item: &mut Item,
    ) -> Result<Run, Malformed> {
        let context = self.context(group, fence, item);
        let event = self.take(item)?;
        Ok(Run {
            work: Work::One(event, context.clone()),
            context,
        })
    }

    /// The work of a run of this many events of the lane, for a handler that takes several.
    pub(super) fn batch(
        &self,
        group: &Arc<str>,
        lane: &mut Lane,
        events: usize,
    ) -> Result<Run, Malformed> {
        let fence = lane.fence;
        let items = lane.queue.iter_mut().take(events);
        let read = items.map(|item| {
            let context = self.context(group, fence, item);
            Ok((self.take(item)?, context))
        });
        let work: Vec<(AnyEvent, Context)> = read.collect::<Result<_, Malformed>>()?;
        let mut contexts = work.iter().map(|(_, context)| context.clone());
        let first = contexts.next().expect("a run has at least one event");
        Ok(Run {
            context: Context::of_run(first, contexts.collect()),
            work: Work::Batch(work),
        })
    }

    fn take(&self, item: &mut Item) -> Result<AnyEvent, Malformed> {
        let read = item.read.take();
        read.unwrap_or_else(|| self.read(&item.envelope))
    }

    fn context(&self, group: &Arc<str>, fence: Fence, item: &Item) -> Context {
        Context::new(ContextParts {
            group: Arc::clone(group),
            worker: self.worker.clone(),
            key: item.key.clone(),
            seq: item.seq(),
            id: item.id().clone(),
            attempt: item.attempt,
            fence,
            received_at: item.received_at,
            envelope: item.envelope.clone(),
            states: Arc::clone(&self.states),
        })
    }
}
