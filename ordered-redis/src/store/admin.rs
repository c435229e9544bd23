use async_trait::async_trait;
use bytes::Bytes;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::protocol::{Action, Command, KeyView, Policy, Verb, Verdict, WorkerId};
use ordered_core::store::{
    Admin, AuditEntry, Group, GroupView, KeyFilter, KeyPage, Operator, Place, Shelf, StoreError,
    StoredEvent, WorkersView, bucket_of,
};
use redis::cmd;

use super::audit::said;
use super::calls::NOT_NUMBERED;
use super::{RedisStore, number, text};
use crate::answer::Answer;
use crate::request::{Portion, situation};
use crate::script::{APPLY, Call, EVENT, INSPECT};
use crate::view::key_view;

/// How many keys a page lists, about.
const PAGE: usize = 200;

impl RedisStore {
    /// Over how many buckets the group is spread: an operator need not know.
    pub(super) async fn buckets_of(&self, group: &Group) -> Result<u32, StoreError> {
        let mut read = cmd("HMGET");
        read.arg(self.shared.names.meta(group.name()))
            .arg("buckets");
        let mut answer = Answer::new(self.ask(vec![read]).await?.remove(0))?;
        let recorded = answer.maybe_text()?;
        Ok(recorded
            .and_then(|recorded| recorded.parse().ok())
            .unwrap_or(self.shared.buckets))
    }

    pub(super) async fn call_of(
        &self,
        operation: &'static crate::script::Operation,
        group: &Group,
        key: &Key,
        arguments: Vec<Bytes>,
    ) -> Result<Answer, StoreError> {
        let bucket = bucket_of(key.as_str(), self.buckets_of(group).await?);
        let call = self.call(operation, group, bucket, arguments);
        Answer::new(self.run(&[call]).await?.remove(0))
    }

    fn inspection(&self, key: &str) -> Vec<Bytes> {
        vec![
            text(key),
            number(KeyView::MOST as u64),
            number(self.given_time()),
        ]
    }

    async fn views(
        &self,
        group: &Group,
        bucket: u32,
        names: Vec<String>,
    ) -> Result<Vec<KeyView>, StoreError> {
        let calls: Vec<Call> = names
            .iter()
            .map(|name| self.call(&INSPECT, group, bucket, self.inspection(name)))
            .collect();
        let mut views = Vec::new();
        for (name, answer) in names.iter().zip(self.run(&calls).await?) {
            let mut answer = Answer::new(answer)?;
            if !answer.is_empty() {
                views.push(key_view(name, &mut answer)?);
            }
        }
        Ok(views)
    }

    pub(super) async fn time(&self) -> Result<u64, StoreError> {
        if let Some(clock) = &self.shared.clock {
            return Ok(clock.now());
        }
        let mut answer = Answer::new(self.ask(vec![cmd("TIME")]).await?.remove(0))?;
        let mut part = || {
            let digits = answer.text()?;
            digits
                .parse::<u64>()
                .map_err(|error| StoreError::refused("Redis told no time").with_source(error))
        };
        Ok(part()? * 1_000 + part()? / 1_000)
    }
}

/// `<bucket>:<cursor of the scan in it>`.
fn read_cursor(cursor: Option<&str>) -> Result<(u32, String), StoreError> {
    let Some(cursor) = cursor else {
        return Ok((0, "0".into()));
    };
    let parts = cursor.split_once(':');
    parts
        .and_then(|(bucket, scan)| Some((bucket.parse().ok()?, scan.parse::<u64>().ok()?)))
        .map(|(bucket, scan)| (bucket, scan.to_string()))
        .ok_or_else(|| {
            StoreError::refused(format!(
                "`{cursor}` is no cursor of a page: begin again without one"
            ))
        })
}

fn is_stuck(view: &KeyView) -> bool {
    let waits = view.paused || view.group_paused && view.held_events > 0;
    waits || view.phase != "open" || view.gap_since.is_some() || view.dead_events > 0
}

#[async_trait]
impl Admin for RedisStore {
    async fn groups(&self) -> Result<Vec<String>, StoreError> {
        let mut members = cmd("SMEMBERS");
        members.arg(self.shared.names.groups());
        let mut groups = Answer::members(self.ask(vec![members]).await?.remove(0))?;
        groups.sort();
        Ok(groups)
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        let mut read = cmd("HMGET");
        read.arg(self.shared.names.meta(name)).arg("policy");
        let mut answer = Answer::new(self.ask(vec![read]).await?.remove(0))?;
        let Some(json) = answer.maybe_text()? else {
            return Ok(None);
        };
        let policy: Policy = serde_json::from_str(&json).map_err(|error| {
            StoreError::refused(format!(
                "the rules of the group `{name}` were written by another version, and cannot be read"
            ))
            .with_source(error)
        })?;
        Ok(Some(Group::new(name, policy)))
    }

    async fn overview(&self, group: &Group) -> Result<GroupView, StoreError> {
        self.look_over(group).await
    }

    async fn workers(&self, group: &Group) -> Result<WorkersView, StoreError> {
        self.look_at_workers(group).await
    }

    async fn keys(
        &self,
        group: &Group,
        filter: KeyFilter,
        cursor: Option<String>,
    ) -> Result<KeyPage, StoreError> {
        let (bucket, scan) = read_cursor(cursor.as_deref())?;
        let tag = self.shared.names.bucket(group, bucket);
        // A hash is listed with the value behind each field.
        let (scanning, structure, step) = match filter {
            KeyFilter::All => ("HSCAN", "k", 2),
            KeyFilter::Stuck | KeyFilter::Kept => ("SSCAN", "n", 1),
        };
        let mut page = cmd(scanning);
        page.arg(format!("{tag}:{structure}")).arg(scan);
        page.arg("COUNT").arg(PAGE);
        let (next, mut names) = Answer::page(self.ask(vec![page]).await?.remove(0), step)?;
        names.sort();
        names.dedup();
        let mut keys = self.views(group, bucket, names).await?;
        keys.retain(|view| match filter {
            KeyFilter::All => true,
            KeyFilter::Stuck => is_stuck(view),
            KeyFilter::Kept => view.held_events + view.dead_events > 0,
        });
        let cursor = match next.as_str() {
            "0" if bucket + 1 >= self.buckets_of(group).await? => None,
            "0" => Some(format!("{}:0", bucket + 1)),
            next => Some(format!("{bucket}:{next}")),
        };
        Ok(KeyPage { keys, cursor })
    }

    async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError> {
        let arguments = self.inspection(key.as_str());
        let mut answer = self.call_of(&INSPECT, group, key, arguments).await?;
        if answer.is_empty() {
            return Ok(None);
        }
        let view = key_view(key.as_str(), &mut answer)?;
        answer.finish()?;
        Ok(Some(view))
    }

    async fn event(
        &self,
        group: &Group,
        key: &Key,
        seq: Seq,
    ) -> Result<Option<Envelope>, StoreError> {
        let arguments = vec![text(key.as_str()), number(seq.get())];
        let mut answer = self.call_of(&EVENT, group, key, arguments).await?;
        if answer.is_empty() {
            return Ok(None);
        }
        answer.envelope().map(Some)
    }

    async fn stored(
        &self,
        group: &Group,
        key: &Key,
        shelf: Shelf,
        after: Option<Place>,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.page_of_stored(group, key, shelf, after).await
    }

    async fn operate(
        &self,
        group: &Group,
        key: &Key,
        verb: &Verb,
        operator: &Operator,
        dry_run: bool,
    ) -> Result<Verdict, StoreError> {
        let nobody = WorkerId::new(format!("operator:{}", operator.who));
        let share = group
            .policy()
            .group_quota
            .share(self.buckets_of(group).await?);
        let said = said(operator, Some(key), verb)?;
        let said = if dry_run { "" } else { &said };
        let time = self.given_time();
        let situation = situation(
            group.policy(),
            share,
            &nobody,
            time,
            dry_run,
            said,
            NOT_NUMBERED,
        );
        let command = Command {
            key: key.clone(),
            action: Action::Operate(verb.clone()),
        };
        let commands = [command];
        let (_, arguments) = Portion::of(&commands, vec![0]).finish(situation);
        let mut answer = self.call_of(&APPLY, group, key, arguments).await?;
        answer.verdict(&commands[0].action)
    }

    async fn pause_group(
        &self,
        group: &Group,
        paused: bool,
        operator: &Operator,
    ) -> Result<bool, StoreError> {
        self.pause(group, paused, operator).await
    }

    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.written_down(group, limit).await
    }
}
