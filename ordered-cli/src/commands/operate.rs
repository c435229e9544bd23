use std::pin::pin;
use std::time::Duration;

use ordered_core::admin::{OperateError, OperateOptions};
use ordered_core::event::Key;
use ordered_core::internal::readable::printable;
use ordered_core::protocol::{Effect, Verb, Verdict, WorkerId};
use ordered_core::store::Group;
use tokio::time::timeout;

use super::effect::{Removal, VerbEffect};
use crate::args::VerbArgs;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::operator::operator;
use crate::output::{Report, print};
use crate::session::Session;

/// After how long a verb that waits for a key says so.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A verb that is to be done to a key.
pub(super) struct KeyOperation<'a> {
    pub(super) session: &'a Session,
    pub(super) group: Group,
    pub(super) key: &'a Key,
    pub(super) verb_args: &'a VerbArgs,
}

impl<'a> KeyOperation<'a> {
    pub(super) async fn new(
        session: &'a Session,
        key: &'a Key,
        verb_args: &'a VerbArgs,
    ) -> Result<Self, Failure> {
        Ok(Self {
            session,
            group: session.group().await?,
            key,
            verb_args,
        })
    }

    /// What the verb would do.
    pub(super) async fn look(&self, verb: &Verb, removal: Removal) -> Result<VerbEffect, Failure> {
        let effect = self.operate(verb, true).await?;
        Ok(VerbEffect::new(
            self.group.name(),
            self.key.as_str(),
            verb,
            removal,
            effect,
        ))
    }

    /// Does the verb, or with `dry_run` only finds out what it would do.
    pub(super) async fn operate(&self, verb: &Verb, dry_run: bool) -> Result<Effect, Failure> {
        let options = OperateOptions {
            dry_run,
            force: self.verb_args.force,
            wait: self.verb_args.wait,
        };
        let operator = operator(self.verb_args);
        let admin = &self.session.admin;
        let verdict = admin.operate(&self.group, self.key, verb, &operator, options);
        // A dry run waits for nobody.
        let waits = !dry_run && !self.verb_args.wait.is_zero();
        let verdict = if waits {
            self.announced(verdict).await
        } else {
            verdict.await
        };
        match verdict {
            Ok(Verdict::Operated(effect)) => Ok(effect),
            Ok(Verdict::Refused(refusal)) => Err(self.refused(&refusal.to_string()).await?),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Waits for what comes of a verb. Where that takes a while, says which worker has the key.
    async fn announced<T>(&self, verdict: impl Future<Output = T>) -> T {
        let mut verdict = pin!(verdict);
        let limit = TIMEOUT.min(self.verb_args.wait / 2);
        loop {
            if let Ok(verdict) = timeout(limit, &mut verdict).await {
                return verdict;
            }
            // Polled on meanwhile, because the operator's lease lives by it.
            let owner = tokio::select! {
                verdict = &mut verdict => return verdict,
                owner = self.owner() => owner,
            };
            if let Some(owner) = owner {
                eprintln!(
                    "ordered: waiting up to {:?} for {owner} to hand over {}",
                    self.verb_args.wait,
                    printable(self.key.as_str()),
                );
                return verdict.await;
            }
        }
    }

    /// Who has the key now, if anybody.
    async fn owner(&self) -> Option<String> {
        let view = self.session.admin.inspect(&self.group, self.key).await;
        let claim = view.ok()??.claim?;
        let worker = WorkerId::new(&claim.worker);
        let name = printable(worker.as_str());
        Some(match worker.operator_name() {
            Some(operator) => format!("operator {}", printable(operator)),
            None => format!("worker {name}"),
        })
    }

    fn failed(&self, error: OperateError) -> Failure {
        let text = format!("{}: {error}", printable(self.key.as_str()));
        match error {
            OperateError::Store(error) => Failure::Store(error),
            OperateError::Busy { .. } | OperateError::Lost => Failure::Busy(text),
            error @ OperateError::NotLogged { .. } => Failure::NotLogged(Box::new(error)),
            _ => Failure::Unknown(text),
        }
    }

    async fn refused(&self, why: &str) -> Result<Failure, Failure> {
        let view = self.session.admin.inspect(&self.group, self.key).await?;
        let unknown = if view.is_none() {
            " (the key is not known: `ordered keys` lists those that are)"
        } else {
            ""
        };
        let key = printable(self.key.as_str());
        Ok(Failure::refused(format!("{key}: {why}{unknown}")))
    }

    /// Does it, unless it was only to be looked at, and says so.
    pub(super) async fn carry_out(
        &self,
        verb: &Verb,
        mut effect: VerbEffect,
    ) -> Result<(), Failure> {
        if !self.verb_args.dry_run {
            effect.done(self.operate(verb, false).await?);
        }
        print(&Report::new(&effect, effect.text())?, self.verb_args.json)
    }

    /// The same, but asks first.
    pub(super) async fn ask_and_carry_out(
        &self,
        verb: &Verb,
        effect: VerbEffect,
    ) -> Result<(), Failure> {
        if !self.verb_args.dry_run {
            confirm(self.verb_args, &effect.text())?;
        }
        self.carry_out(verb, effect).await
    }
}
