use ordered_core::event::Key;
use ordered_core::explain::printable;
use ordered_core::protocol::{Effect, Verb, Verdict};
use ordered_core::store::Group;

use super::effect::{Deed, Removal};
use crate::args::Acting;
use crate::ask::confirm;
use crate::failure::Failure;
use crate::operator::operator;
use crate::output::{Report, print};
use crate::session::Session;

/// A verb that is to be done to a key.
pub(super) struct Plan<'a> {
    pub(super) session: &'a Session,
    pub(super) group: Group,
    pub(super) key: &'a Key,
    pub(super) acting: &'a Acting,
}

impl<'a> Plan<'a> {
    pub(super) async fn new(
        session: &'a Session,
        key: &'a Key,
        acting: &'a Acting,
    ) -> Result<Self, Failure> {
        Ok(Self {
            session,
            group: session.group().await?,
            key,
            acting,
        })
    }

    /// What the verb would do.
    pub(super) async fn look(&self, verb: &Verb, removal: Removal) -> Result<Deed, Failure> {
        let before = self.session.store.inspect(&self.group, self.key).await?;
        let first = self.group.policy().first_seq.saturating_sub(1);
        let last_seq = before.map_or(first, |view| view.last_seq);
        let effect = self.say(verb, true).await?;
        Ok(Deed::new(
            self.group.name(),
            self.key.as_str(),
            verb,
            removal,
            last_seq,
            effect,
        ))
    }

    pub(super) async fn say(&self, verb: &Verb, dry_run: bool) -> Result<Effect, Failure> {
        let (store, operator) = (&self.session.store, operator(self.acting));
        let verdict = store.operate(&self.group, self.key, verb, &operator, dry_run);
        match verdict.await? {
            Verdict::Operated(effect) => Ok(effect),
            Verdict::Refused(refusal) => Err(self.refused(&refusal.to_string()).await?),
            other => Err(Failure::refused(format!("the store answered {other:?}"))),
        }
    }

    async fn refused(&self, why: &str) -> Result<Failure, Failure> {
        let view = self.session.store.inspect(&self.group, self.key).await?;
        let unknown = if view.is_none() {
            " (the key is not known: `ordered keys` lists those that are)"
        } else {
            ""
        };
        let key = printable(self.key.as_str());
        Ok(Failure::refused(format!("{key}: {why}{unknown}")))
    }

    /// Does it, unless it was only to be looked at, and says so.
    pub(super) async fn carry_out(&self, verb: &Verb, mut deed: Deed) -> Result<(), Failure> {
        if !self.acting.dry_run {
            deed.done(self.say(verb, false).await?);
        }
        print(&Report::new(&deed, deed.text())?, self.acting.json)
    }

    /// The same, but asks first.
    pub(super) async fn ask_and_carry_out(&self, verb: &Verb, deed: Deed) -> Result<(), Failure> {
        if !self.acting.dry_run {
            confirm(self.acting, &deed.text())?;
        }
        self.carry_out(verb, deed).await
    }
}
