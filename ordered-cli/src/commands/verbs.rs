//! The verbs about one key that need nothing more than its seqs.

use ordered_core::event::Seq;
use ordered_core::protocol::Verb;

use super::effect::Removal;
use super::operate::Plan;
use crate::args::{Discard, Retry, SetLast, Skip};
use crate::failure::Failure;
use crate::session::Session;

pub(crate) async fn retry(session: &Session, command: &Retry) -> Result<(), Failure> {
    let plan = Plan::new(session, &command.key, &command.acting).await?;
    let deed = plan.look(&Verb::Retry, Removal::PutAside).await?;
    plan.carry_out(&Verb::Retry, deed).await
}

pub(crate) async fn skip(session: &Session, command: &Skip) -> Result<(), Failure> {
    let plan = Plan::new(session, &command.key, &command.acting).await?;
    let verb = Verb::Skip { to: command.to };
    let deed = plan.look(&verb, Removal::PutAside).await?;
    // The key may go on while the operator thinks: nothing is skipped that was not in the plan.
    let pinned = Verb::Skip {
        to: command.to.or_else(|| Seq::new(deed.last_seq()).ok()),
    };
    plan.ask_and_carry_out(&pinned, deed).await
}

pub(crate) async fn discard(session: &Session, command: &Discard) -> Result<(), Failure> {
    let plan = Plan::new(session, &command.key, &command.acting).await?;
    let verb = Verb::Discard { seq: command.seq };
    let view = session.admin.inspect(&plan.group, &command.key).await?;
    let is_aside = view.is_some_and(|view| {
        let seq = command.seq.get();
        let is_held = view.held.iter().any(|held| held.seq == seq);
        !is_held && view.dead.iter().any(|dead| dead.seq == seq)
    });
    let removal = if is_aside {
        Removal::Delete
    } else {
        Removal::PutAside
    };
    let deed = plan.look(&verb, removal).await?;
    plan.ask_and_carry_out(&verb, deed).await
}

pub(crate) async fn set_last(session: &Session, command: &SetLast) -> Result<(), Failure> {
    let plan = Plan::new(session, &command.key, &command.acting).await?;
    let verb = Verb::SetLast { to: command.last };
    let deed = plan.look(&verb, Removal::PutAside).await?;
    if let Some(back) = deed.goes_back() {
        return plan.ask_and_carry_out(&verb, deed.with_note(back)).await;
    }
    // Upwards it is a skip, which is refused where the key is past it by then; to set the last seq would go back.
    let to = Seq::new(command.last).ok();
    plan.ask_and_carry_out(&Verb::Skip { to }, deed).await
}
