use std::fmt::Write;

use super::targets::{Aim, TargetResult};
use super::{Results, Spread};
use crate::load::Load;

/// Everything on one page of text.
pub(super) fn table(loads: &[Load], results: &Results) -> String {
    let mut text = String::new();
    let machine = &results.machine;
    let _ = writeln!(
        text,
        "{} processors ({}), Linux {}, {}, {} rounds, medians (min–max)\n",
        machine.processors, machine.model, machine.kernel, results.servers, results.rounds
    );
    for load in loads {
        of_load(&mut text, load, results);
    }
    if let Some(memory) = results.redis_memory {
        let _ = writeln!(
            text,
            "Redis memory, {} of each: {:.1} bytes an idle key, {:.1} bytes a remembered id\n",
            memory.count, memory.idle_key, memory.remembered_id
        );
    }
    if !results.targets.is_empty() {
        let _ = writeln!(text, "Targets");
        for judged in &results.targets {
            let _ = writeln!(text, "  {}", line(judged));
        }
    }
    text
}

fn of_load(text: &mut String, load: &Load, results: &Results) {
    let _ = writeln!(text, "{}: {}", load.name, load.about);
    let _ = writeln!(
        text,
        "  {:<14} {:>24} {:>18} {:>18} {:>7} {:>7} {:>7} {:>8} {:>9} {:>7} {:>8}",
        "",
        "events/s",
        "× floor",
        "× floor by CPU",
        "CPU µs",
        "Redis",
        "Broker",
        "trips/k",
        "scripts/k",
        "cmds/k",
        "B/event"
    );
    for variant in &load.variants {
        let Some(rate) = results.spread(load.name, variant.label, |trial| Some(trial.rate)) else {
            continue;
        };
        let median = |figure: fn(&crate::runner::Trial) -> f64| {
            let spread = results.spread(load.name, variant.label, |trial| Some(figure(trial)));
            spread.map_or(0.0, |spread| spread.median)
        };
        let floor = results.ratio(load.name, (variant.label, "floor"), |trial| trial.rate);
        let work = results.ratio(load.name, (variant.label, "floor"), |trial| {
            1.0 / trial.processor_in_all()
        });
        let _ = writeln!(
            text,
            "  {:<14} {:>24} {:>18} {:>18} {:>7.1} {:>7.1} {:>7.1} {:>8.1} {:>9.1} {:>7.0} {:>8.0}",
            variant.label,
            spread(rate, 0),
            floor.map_or_else(String::new, |floor| spread(floor, 2)),
            work.map_or_else(String::new, |work| spread(work, 2)),
            median(|trial| trial.processor),
            median(|trial| trial.redis.processor),
            median(|trial| trial.broker_processor),
            median(|trial| trial.round_trips_per_1000),
            median(|trial| trial.redis.script_calls * 1e3),
            median(|trial| trial.redis.commands * 1e3),
            median(|trial| trial.redis.bytes_in + trial.redis.bytes_out),
        );
        extras(text, load, variant.label, results);
    }
    let _ = writeln!(text);
}

fn extras(text: &mut String, load: &Load, variant: &str, results: &Results) {
    let nanos = |figure: fn(crate::subject::Quantiles) -> u64| {
        results.spread(load.name, variant, |trial| {
            #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 ns")]
            trial.latency.map(|latency| figure(latency) as f64)
        })
    };
    if let (Some(median), Some(p99), Some(p999)) = (
        nanos(|latency| latency.median),
        nanos(|latency| latency.p99),
        nanos(|latency| latency.p999),
    ) {
        let _ = writeln!(
            text,
            "  {:<14} latency: median {:.2} ms, 99 % {:.2} ms, 99.9 % {:.2} ms",
            "",
            median.median / 1e6,
            p99.median / 1e6,
            p999.median / 1e6
        );
    }
    if let Some(bytes) = results.spread(load.name, variant, |trial| trial.state_bytes) {
        let _ = writeln!(
            text,
            "  {:<14} {:.1} bytes of state a key",
            "", bytes.median
        );
    }
    if let Some(count) = results.spread(load.name, variant, |trial| trial.allocations) {
        let _ = writeln!(
            text,
            "  {:<14} {:.1} allocations an event",
            "", count.median
        );
    }
}

fn line(judged: &TargetResult) -> String {
    let aim = match judged.aim {
        Aim::AtLeast(least) => format!("≥ {least}"),
        Aim::AtMost(most) => format!("≤ {most}"),
    };
    let met = if judged.met { "met" } else { "MISSED" };
    format!(
        "{:<16} {:<40} {:>7}  {:>18}  {met}",
        judged.load,
        judged.what,
        aim,
        spread(judged.measured, 2)
    )
}

fn spread(Spread { min, median, max }: Spread, digits: usize) -> String {
    if (max - min).abs() < f64::EPSILON {
        format!("{median:.digits$}")
    } else {
        format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

/// Nanoseconds for people.
#[expect(clippy::cast_precision_loss, reason = "far less than 2^52 ns")]
pub(super) fn millis(nanos: u64) -> String {
    format!("{:.2} ms", nanos as f64 / 1e6)
}
