//! The documents speak of metrics and labels that exist, and of all of them.

use std::collections::BTreeSet;

use ordered_events::core::publish;
use ordered_events::core::worker::{METRICS, Metric, MetricKind};

const RULES: &str = include_str!("../../../../docs/prometheus-rules.yml");
const RULES_TEST: &str = include_str!("../../../../docs/prometheus-rules.test.yml");
const DASHBOARD: &str = include_str!("../../../../docs/grafana-dashboard.json");
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

/// A metric as a query names it, and what stands in the braces behind it.
#[derive(Debug)]
struct Mention<'a> {
    name: &'a str,
    matchers: &'a str,
}

/// Every word that begins as our metrics do.
fn mentions(text: &str) -> Vec<Mention<'_>> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("ordered_") {
        let begins = !rest[..at].ends_with(is_word);
        let tail = &rest[at..];
        let end = tail.find(|c: char| !is_word(c)).unwrap_or(tail.len());
        let (name, behind) = tail.split_at(end);
        let braces = behind.strip_prefix('{');
        let matchers = braces.map_or("", |inner| inner.split('}').next().unwrap_or(""));
        if begins {
            found.push(Mention { name, matchers });
        }
        rest = behind;
    }
    found
}

/// Those of workers and those of publishers.
fn all() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().chain(publish::METRICS)
}

fn metric(name: &str) -> Option<&'static Metric> {
    all().find(|metric| match metric.kind {
        MetricKind::Histogram { .. } => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|part| name.strip_suffix(part) == Some(metric.name)),
        _ => name == metric.name,
    })
}

/// What is wrong with how a query names a metric.
fn mistake(mention: &Mention<'_>) -> Option<String> {
    let Some(metric) = metric(mention.name) else {
        return Some(format!("there is no metric {}", mention.name));
    };
    let matchers = mention.matchers.split(", ").filter(|one| !one.is_empty());
    matchers
        .map(|matcher| wrong_matcher(metric, matcher))
        .find_map(|wrong| wrong)
}

fn wrong_matcher(metric: &Metric, matcher: &str) -> Option<String> {
    let (label, value) = matcher.split_once('=')?;
    if ["group", "instance"].contains(&label) {
        return None;
    }
    let Some((_, values)) = metric.labels.iter().find(|(name, _)| *name == label) else {
        return Some(format!("{} has no label {label}", metric.name));
    };
    let value = value.trim_start_matches('~').trim_matches('"');
    value
        .split('|')
        .find(|value| !values.contains(value))
        .map(|value| format!("{} is never {label}={value}", metric.name))
}

#[track_caller]
fn assert_right(text: &str) {
    let mentions = mentions(text);
    assert!(!mentions.is_empty());
    let mistakes: Vec<String> = mentions.iter().filter_map(mistake).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
}

/// All queries of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_rules_name_metrics_that_exist() {
    assert_right(RULES);
    assert_right(RULES_TEST);
}

#[test]
fn every_query_of_the_dashboard_names_metrics_that_exist() {
    for query in queries() {
        assert_right(&query);
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let queries = queries().join("\n");
    let shown: BTreeSet<&str> = mentions(&queries)
        .iter()
        .filter_map(|mention| metric(mention.name))
        .map(|metric| metric.name)
        .collect();
    let all: BTreeSet<&str> = all().map(|metric| metric.name).collect();
    assert_eq!(shown, all);
}

#[test]
fn the_guide_explains_every_metric_and_every_value_of_a_label() {
    for metric in METRICS {
        let name = format!("`{}`", metric.name);
        assert!(OPERATIONS.contains(&name), "{name}");
        for value in metric.labels.iter().flat_map(|(_, values)| *values) {
            let value = format!("`{value}`");
            assert!(OPERATIONS.contains(&value), "{name}: {value}");
        }
    }
}

#[test]
fn a_mistake_in_a_query_is_found() {
    let found = |query: &str| mentions(query).iter().find_map(mistake);
    assert_eq!(found("sum(ordered_lanes)"), None);
    for wrong in [
        "ordered_lane",
        "ordered_handler_seconds",
        "ordered_lanes_bucket",
        "ordered_lanes{outcome=\"held\"}",
        "ordered_deliveries_total{group=\"a\", outcome=~\"held|lost\"}",
    ] {
        assert!(found(wrong).is_some(), "{wrong}");
    }
}
