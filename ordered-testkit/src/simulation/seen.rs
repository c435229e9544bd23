//! What a command has done to its key, as the store shows it before and after. A line says only what the store shows: an
//! event that it does not keep was not put aside, and a seq that nobody gave up was not skipped.

use ordered_core::event::Key;
use ordered_core::protocol::{Action, Event, GapPolicy, KeyView, Verdict, WorkerId};
use ordered_core::store::Group;

use crate::history::{self, What};

/// The lines of one command.
pub(super) fn lines(
    group: &Group,
    worker: &WorkerId,
    (key, action): (&Key, &Action),
    [before, after]: [Option<KeyView>; 2],
    verdicts: &[Verdict],
) -> Vec<What> {
    let named = |event: &Event| line_of(key, event.seq.get(), event.id.as_str());
    let was = before.as_ref().map_or(0, |view| view.last_seq);
    let is = after.as_ref().map_or(0, |view| view.last_seq);
    let mut lines = match action {
        Action::DeadLetter { .. } => Vec::new(),
        _ => buried(key, before.as_ref(), after.as_ref()),
    };
    let mut done_to = was;
    match action {
        Action::Commit { event, .. } if has_moved(event, was, is, &before, &after) => {
            done_to = was.max(event.seq.get());
            lines.push(What::Committed {
                event: named(event),
                worker: worker.to_string(),
            });
        }
        Action::DeadLetter { attempt, .. }
            if is > was && is_aside(after.as_ref(), &attempt.event) =>
        {
            done_to = attempt.event.seq.get();
            lines.push(What::PutAside {
                event: named(&attempt.event),
                reason: attempt.error.clone(),
            });
        }
        Action::Offer(event) | Action::Hold(event, _) if verdicts == [Verdict::Late] => {
            lines.push(What::Late {
                event: named(event),
            });
        }
        _ => {}
    }
    let epochs = [&before, &after].map(|view| view.as_ref().map_or(0, |view| view.epoch));
    if epochs[0] != epochs[1] {
        lines.push(What::Renumbered {
            key: key.to_string(),
            last_seq: is,
        });
    } else if is > done_to
        && let Some(reason) = why_skipped(group, action, before.as_ref(), [done_to + 1, is])
    {
        lines.push(What::Skipped {
            key: key.to_string(),
            from: done_to + 1,
            to: is,
            reason: reason.to_owned(),
        });
    }
    lines
}

/// The key has moved past the event, or it was put aside and is no longer.
fn has_moved(
    event: &Event,
    was: u64,
    is: u64,
    before: &Option<KeyView>,
    after: &Option<KeyView>,
) -> bool {
    is > was || (is_aside(before.as_ref(), event) && !is_aside(after.as_ref(), event))
}

fn is_aside(view: Option<&KeyView>, event: &Event) -> bool {
    let mut dead = view.into_iter().flat_map(|view| &view.dead);
    dead.any(|dead| dead.seq == event.seq.get() && dead.id == event.id.as_str())
}

/// Who gave the seqs up, if somebody did: they were said not to come before this command or by it, or their gap is over.
fn why_skipped(
    group: &Group,
    action: &Action,
    before: Option<&KeyView>,
    [from, to]: [u64; 2],
) -> Option<&'static str> {
    let said = before
        .into_iter()
        .flat_map(|view| &view.absent)
        .any(|(first, last)| *first <= from && to <= *last);
    match action {
        Action::Fill { .. } | Action::Reset { .. } => Some("its producer said so"),
        Action::Operate(_) => Some("an operator said so"),
        _ if said => Some("its producer, or an operator, had said so"),
        Action::Claim if matches!(group.policy().on_gap, GapPolicy::Skip { .. }) => {
            Some("its gap had lasted too long")
        }
        _ => None,
    }
}

/// What is kept aside now, and was not before.
fn buried(key: &Key, before: Option<&KeyView>, after: Option<&KeyView>) -> Vec<What> {
    let new = after.into_iter().flat_map(|view| &view.dead);
    let new = new.filter(|dead| {
        let mut old = before.into_iter().flat_map(|view| &view.dead);
        !old.any(|old| (old.epoch, old.seq) == (dead.epoch, dead.seq))
    });
    new.map(|dead| What::DeadLettered {
        event: line_of(key, dead.seq, &dead.id),
        reason: dead.cause.clone(),
    })
    .collect()
}

fn line_of(key: &Key, seq: u64, id: &str) -> history::Event {
    history::Event {
        key: key.to_string(),
        seq,
        id: id.to_owned(),
    }
}
