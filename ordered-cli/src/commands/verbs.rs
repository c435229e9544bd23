//! The verbs about keys that need nothing more than seqs: one key in all detail, or many.

use ordered_core::admin::BulkVerb;
use ordered_core::event::{Key, Seq};
use ordered_core::protocol::Verb;

use super::effect::Removal;
use super::many;
use super::operate::KeyOperation;
use crate::args::{Discard, LastSeq, Retry, SelectionArgs, SetLast, Skip, VerbArgs, key, seq};
use crate::failure::Failure;
use crate::session::Session;

/// The one key that is named, if that is all that is said.
pub(super) fn only<'a>(keys: &'a [Key], selection_args: &SelectionArgs) -> Option<&'a Key> {
    match keys {
        [key] if !selection_args.is_filter() => Some(key),
        _ => None,
    }
}

/// Without keys a filter is needed, so that nobody touches all of them by mistake.
pub(super) async fn to_many(
    session: &Session,
    verb: BulkVerb,
    keys: &[Key],
    selection_args: &SelectionArgs,
    verb_args: &VerbArgs,
) -> Result<(), Failure> {
    let has_filter = selection_args.is_filter();
    if keys.is_empty() && !has_filter {
        let verb = verb.as_str();
        return Err(Failure::Usage(format!(
            "which keys? Name them (`ordered {verb} order-17`), or say --all, --error TEXT, --key PATTERN, \
             --older-than AGE, --halted or --gap"
        )));
    }
    if selection_args.all && !keys.is_empty() {
        return Err(Failure::Usage("either --all, or the keys by name".into()));
    }
    many::run(session, verb, &selection_args.of(keys), verb_args).await
}

pub(crate) async fn retry(session: &Session, command: &Retry) -> Result<(), Failure> {
    let Some(key) = only(&command.keys, &command.selection_args) else {
        let (keys, selection_args) = (&command.keys, &command.selection_args);
        return to_many(
            session,
            BulkVerb::Retry,
            keys,
            selection_args,
            &command.verb_args,
        )
        .await;
    };
    let operation = KeyOperation::new(session, key, &command.verb_args).await?;
    let effect = operation.look(&Verb::Retry, Removal::DeadLetter).await?;
    operation.carry_out(&Verb::Retry, effect).await
}

pub(crate) async fn skip(session: &Session, command: &Skip) -> Result<(), Failure> {
    let Some(key) = only(&command.keys, &command.selection_args) else {
        if command.to.is_some() {
            return Err(Failure::Usage("--to is of one key".into()));
        }
        let (keys, selection_args) = (&command.keys, &command.selection_args);
        return to_many(
            session,
            BulkVerb::Skip,
            keys,
            selection_args,
            &command.verb_args,
        )
        .await;
    };
    let operation = KeyOperation::new(session, key, &command.verb_args).await?;
    let verb = Verb::Skip { to: command.to };
    let effect = operation.look(&verb, Removal::DeadLetter).await?;
    // The key may go on while the operator thinks: nothing is skipped that was not in the plan.
    let pinned = Verb::Skip {
        to: command.to.or_else(|| Seq::new(effect.last_seq()).ok()),
    };
    operation.ask_and_carry_out(&pinned, effect).await
}

pub(crate) async fn discard(session: &Session, command: &Discard) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let key_of = |word: &String| key(word).map_err(Failure::Usage);
    if command.dead || command.words.is_empty() {
        let keys: Result<Vec<Key>, Failure> = command.words.iter().map(key_of).collect();
        let (keys, selection_args) = (keys?, &command.selection_args);
        return to_many(
            session,
            BulkVerb::Discard,
            &keys,
            selection_args,
            &command.verb_args,
        )
        .await;
    }
    let [of, at] = &command.words[..] else {
        return usage(
            "which event? `ordered discard KEY SEQ` takes one event; with --dead all dead letters of the keys are \
             deleted",
        );
    };
    if command.selection_args.is_filter() {
        return usage("a filter is for the dead letters of keys: add --dead");
    }
    let of = key_of(of)?;
    let at = seq(at).map_err(|error| Failure::Usage(format!("'{at}': {error}")))?;
    discard_one(session, &of, at, &command.verb_args).await
}

async fn discard_one(
    session: &Session,
    key: &Key,
    at: Seq,
    verb_args: &VerbArgs,
) -> Result<(), Failure> {
    let operation = KeyOperation::new(session, key, verb_args).await?;
    let verb = Verb::Discard { seq: at };
    let view = session.admin.inspect(&operation.group, key).await?;
    let is_aside = view.is_some_and(|view| {
        let is_held = view.held.iter().any(|held| held.seq == at.get());
        !is_held && view.dead.iter().any(|dead| dead.seq == at.get())
    });
    let removal = if is_aside {
        Removal::Delete
    } else {
        Removal::DeadLetter
    };
    let effect = operation.look(&verb, removal).await?;
    operation.ask_and_carry_out(&verb, effect).await
}

pub(crate) async fn set_last(session: &Session, command: &SetLast) -> Result<(), Failure> {
    let operation = KeyOperation::new(session, &command.key, &command.verb_args).await?;
    let to = match command.last {
        LastSeq::Seq(last) => last.get(),
        LastSeq::None => operation.group.policy().first_seq.wrapping_sub(1),
    };
    let verb = Verb::SetLast { to };
    let effect = operation.look(&verb, Removal::DeadLetter).await?;
    if let Some(back) = effect.goes_back() {
        return operation
            .ask_and_carry_out(&verb, effect.with_note(back))
            .await;
    }
    // Upwards it is a skip, which is refused where the key is past it by then; to set the last seq would go back.
    let to = Seq::new(to).ok();
    operation
        .ask_and_carry_out(&Verb::Skip { to }, effect)
        .await
}
