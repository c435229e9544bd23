//! Which commands go together.

use ordered_core::protocol::{Action, Command, Verb};
use ordered_core::store::bucket_of;

use super::Portion;

/// A script runs alone on the server, so one call does no more than this; a larger batch becomes several. And it puts what it is
/// given on its stack, which takes some 8,000 values (`LUAI_MAXCSTACK`): up to eleven for each command.
const MAX_COMMANDS: usize = 500;
const MAX_BYTES: u64 = 4 << 20;

/// Whether a command brings something in, rather than settle what is at work already.
pub(crate) fn takes_in(command: &Command) -> bool {
    matches!(command.action, Action::Offer(_) | Action::Hold(..))
}

/// The commands of one bucket, or the next part of them, by their places in the batch.
#[derive(Debug, Default)]
struct Part {
    places: Vec<usize>,
    bytes: u64,
}

impl Part {
    fn is_full(&self) -> bool {
        self.places.len() >= MAX_COMMANDS || self.bytes >= MAX_BYTES
    }
}

/// What a command carries beside itself.
fn carried(command: &Command) -> u64 {
    match &command.action {
        Action::Hold(_, envelope)
        | Action::Postpone(_, envelope, _)
        | Action::Halt(_, envelope)
        | Action::DeadLetter { envelope, .. } => envelope.size(),
        Action::Operate(Verb::Edit { body, .. }) => body.len() as u64,
        _ => 0,
    }
}

/// Parts a batch by bucket, in order. The first round has one portion for each bucket; only for what a single call
/// should not carry there is another.
pub(crate) fn portions(commands: &[Command], buckets: u32) -> Vec<Vec<(u32, Portion<'_>)>> {
    let mut by_bucket: Vec<Vec<Part>> = (0..buckets).map(|_| Vec::new()).collect();
    for (place, command) in commands.iter().enumerate() {
        let bucket = bucket_of(command.key.as_str(), buckets);
        let parts = &mut by_bucket[bucket as usize];
        if parts.last().is_none_or(Part::is_full) {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            part.places.push(place);
            part.bytes += carried(command);
        }
    }
    let mut rounds = Vec::new();
    for (bucket, parts) in (0..buckets).zip(by_bucket) {
        for (round, part) in parts.into_iter().enumerate() {
            if rounds.len() == round {
                rounds.push(Vec::new());
            }
            rounds[round].push((bucket, Portion::of(commands, part.places)));
        }
    }
    rounds
}
