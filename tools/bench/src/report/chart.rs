//! Bars in SVG, from figures; readable on a light and on a dark page.

use std::fmt::Write;

use super::{Results, Spread};
use crate::load::{Load, Pace};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 210.0;
const RIGHT: f64 = 110.0;
const ROW: f64 = 22.0;
const TOP: f64 = 46.0;
const GAP: f64 = 12.0;

/// One bar, with its label and its colour.
struct Bar {
    label: String,
    variant: &'static str,
    value: Spread,
    text: String,
}

/// The rates of one load.
pub(super) fn of_load(load: &Load, results: &Results) -> Option<String> {
    let bar = |variant: &crate::load::Variant| {
        let value = results.spread(load.name, variant.label, |trial| Some(trial.rate))?;
        Some(Bar {
            label: variant.label.to_owned(),
            variant: variant.label,
            text: format!("{:.0}/s", value.median),
            value,
        })
    };
    let bars: Vec<Bar> = load.variants.iter().filter_map(bar).collect();
    draw(&format!("Events a second: {}", load.about), vec![bars])
}

/// Rates of all loads, as ratios to the floor of the same round.
pub(super) fn of_all(loads: &[Load], results: &Results) -> Option<String> {
    let group = |load: &Load| -> Vec<Bar> {
        let bar = |(place, variant): (usize, &crate::load::Variant)| {
            let value = results.ratio(load.name, (variant.label, "floor"), |trial| trial.rate)?;
            let label = if place == 0 {
                format!("{}: {}", load.name, variant.label)
            } else {
                variant.label.to_owned()
            };
            Some(Bar {
                label,
                variant: variant.label,
                text: format!("{:.2}", value.median),
                value,
            })
        };
        // The script has no broker.
        let variants = load
            .variants
            .iter()
            .filter(|variant| variant.label != "script");
        variants.enumerate().filter_map(bar).collect()
    };
    let groups = loads
        .iter()
        .filter(|load| matches!(load.pace, Pace::Backlog(_)));
    let groups: Vec<_> = groups.map(group).filter(|bars| !bars.is_empty()).collect();
    draw("Events a second, as a share of a bare consumer's", groups)
}

fn draw(title: &str, groups: Vec<Vec<Bar>>) -> Option<String> {
    let most = groups.iter().flatten().map(|bar| bar.value.max);
    let most = most.fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let scale = (WIDTH - LABELS - RIGHT) / most;
    let mut body = String::new();
    let mut y = TOP;
    for group in groups {
        for bar in group {
            row(&mut body, y, scale, &bar);
            y += ROW;
        }
        y += GAP;
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"15\" font-weight=\"bold\" fill=\"#222222\">{title}</text>\n{body}</svg>\n",
        title = escaped(title)
    ))
}

fn row(body: &mut String, y: f64, scale: f64, bar: &Bar) {
    let Spread { min, median, max } = bar.value;
    let (label, text, colour) = (escaped(&bar.label), escaped(&bar.text), colour(bar.variant));
    let middle = y + ROW / 2.0;
    let (from, to) = (LABELS + min * scale, LABELS + max * scale);
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#222222\">{label}</text>",
        LABELS - 8.0,
        middle + 4.5
    );
    let _ = writeln!(
        body,
        "<rect x=\"{LABELS}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
        y + 3.0,
        median * scale,
        ROW - 6.0
    );
    let _ = writeln!(
        body,
        "<path d=\"M{from:.1} {middle:.1}H{to:.1}\" stroke=\"#222222\" stroke-width=\"1.5\"/>"
    );
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#222222\">{text}</text>",
        to + 8.0,
        middle + 4.5
    );
}

fn colour(variant: &str) -> &'static str {
    match variant {
        "floor" => "#9aa5b1",
        "ack each" => "#c9ced6",
        "by hand" => "#e0a458",
        "script" => "#8fb08c",
        _ => "#3b78c2",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
