use ordered_core::admin::{GroupView, KeyCounts, WorkerView};
use ordered_core::internal::readable::{events, grouped, moment, printable, size, span};
use ordered_core::protocol::Order;
use serde::Serialize;

use crate::args::{BrokerArgs, Status};
use crate::broker::dead_letters;
use crate::failure::Failure;
use crate::output::Report;
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    groups: Vec<GroupDocument<'a>>,
    /// What the broker has; nothing where it was not asked.
    broker: Option<BrokerDocument>,
}

#[derive(Serialize)]
struct BrokerDocument {
    /// The queue of its dead letters; nothing where it could not be asked.
    queue: Option<String>,
    dead_events: Option<u64>,
    /// Why it could not be asked.
    error: Option<String>,
}

#[derive(Serialize)]
struct GroupDocument<'a> {
    group: &'a str,
    order: &'a str,
    paused: bool,
    keys: KeyCounts,
    held_events: u64,
    held_bytes: u64,
    dead_events: u64,
    oldest_gap: Option<OldestGap<'a>>,
    workers: &'a [WorkerView],
    now: u64,
}

#[derive(Serialize)]
struct OldestGap<'a> {
    key: &'a str,
    since: u64,
}

pub(crate) async fn run(session: &Session, command: &Status) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let views = views(session).await?;
        let groups = views.iter().map(document).collect();
        let broker = broker(&command.broker.or_environment()).await;
        let mut texts: Vec<String> = views.iter().map(text).collect();
        texts.push(text_of_broker(broker.as_ref()));
        Report::new(&Document { groups, broker }, texts.join("\n\n"))
    })
    .await
}

/// What the broker has, if it is given. That it cannot be asked is said, and keeps nobody from seeing the groups.
async fn broker(given: &BrokerArgs) -> Option<BrokerDocument> {
    given.transport.as_ref()?;
    let counted = async {
        let letters = dead_letters(given).await?;
        let (queue, count) = (letters.queue().to_owned(), letters.count().await);
        let _ = letters.close().await;
        Ok::<_, Failure>((queue, count?))
    };
    Some(match counted.await {
        Ok((queue, count)) => BrokerDocument {
            queue: Some(queue),
            dead_events: Some(count),
            error: None,
        },
        Err(failure) => BrokerDocument {
            queue: None,
            dead_events: None,
            error: failure.text(),
        },
    })
}

fn text_of_broker(broker: Option<&BrokerDocument>) -> String {
    let Some(broker) = broker else {
        return "the dead letters of the broker were not counted: name it with --transport and --queue".into();
    };
    match (&broker.queue, broker.dead_events, &broker.error) {
        (Some(queue), Some(count), _) => format!(
            "broker\n  dead letters  {} in `{}`",
            grouped(count),
            printable(queue)
        ),
        (_, _, error) => format!(
            "broker\n  dead letters  not counted: {}",
            printable(error.as_deref().unwrap_or_default())
        ),
    }
}

async fn views(session: &Session) -> Result<Vec<GroupView>, Failure> {
    if session.named.is_some() {
        let group = session.group().await?;
        return Ok(vec![session.admin.overview(&group).await?]);
    }
    let mut views = Vec::new();
    for name in session.admin.groups().await? {
        if let Some(group) = session.admin.group(&name).await? {
            views.push(session.admin.overview(&group).await?);
        }
    }
    if views.is_empty() {
        return Err(session.no_group());
    }
    Ok(views)
}

fn document(view: &GroupView) -> GroupDocument<'_> {
    let oldest = view.oldest_gap.as_ref();
    GroupDocument {
        group: &view.name,
        order: view.order.as_str(),
        paused: view.paused,
        keys: view.keys,
        held_events: view.held_events,
        held_bytes: view.held_bytes,
        dead_events: view.dead_events,
        oldest_gap: oldest.map(|(key, since)| OldestGap { key, since: *since }),
        workers: &view.workers,
        now: view.now,
    }
}

fn text(view: &GroupView) -> String {
    let KeyCounts {
        all,
        active,
        held,
        gap,
        backing_off,
        suspect,
        halted,
        paused,
    } = view.keys;
    let [all, active, held, gap, backing_off, suspect, halted, paused] =
        [all, active, held, gap, backing_off, suspect, halted, paused].map(grouped);
    let is_paused = if view.paused { " is paused" } else { "" };
    let order = match view.order {
        Order::Sequence => String::new(),
        other if other.coalesces() => {
            format!("\n  order         {other}, of versions that wait only the newest runs")
        }
        other => format!("\n  order         {other}"),
    };
    let oldest = view
        .oldest_gap
        .as_ref()
        .map_or("none".into(), |(key, since)| {
            format!(
                "{} since {} ({})",
                printable(key),
                moment(*since, view.now),
                span(view.now.saturating_sub(*since))
            )
        });
    let alive = view.workers.iter().filter(|worker| worker.alive).count();
    let mut text = format!(
        "group {}{is_paused}{order}\n  \
         keys          {all}: {active} active, {held} with held events, {gap} in a gap, {backing_off} backing off, \
         {suspect} suspect, {halted} halted, {paused} paused\n  \
         oldest gap    {oldest}\n  \
         held          {}, {}\n  \
         dead letters  {} in the store\n  \
         workers       {alive} alive",
        printable(&view.name),
        events(view.held_events),
        size(view.held_bytes),
        grouped(view.dead_events),
    );
    for worker in &view.workers {
        text += &format!(
            "\n                {}: {}, version {}, {} key{}",
            printable(&worker.id),
            lease(worker, view.now),
            printable(&worker.version),
            grouped(worker.keys),
            if worker.keys == 1 { "" } else { "s" }
        );
    }
    text
}

/// `lease until 12:00:13 UTC (in 13 s)`.
pub(crate) fn lease(worker: &WorkerView, now: u64) -> String {
    let until = moment(worker.lease_until, now);
    if worker.alive {
        let left = span(worker.lease_until.saturating_sub(now));
        format!("lease until {until} (in {left})")
    } else {
        let over = span(now.saturating_sub(worker.lease_until));
        format!("dead, lease ended at {until} ({over} ago)")
    }
}
