use std::collections::BTreeMap;
use std::sync::OnceLock;

use ordered_events::prometheus::Prometheus;

/// The recorder of this process, which all tests share.
pub(crate) fn prometheus() -> &'static Prometheus {
    static SHARED: OnceLock<Prometheus> = OnceLock::new();
    SHARED.get_or_init(|| Prometheus::install().expect("the first recorder"))
}

/// What the page says of one group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page(BTreeMap<String, f64>);

impl Page {
    /// Of each line `name{group="…",label="value"} number`, the number by `name` or `name value`.
    pub(crate) fn read(page: &str, group: &str) -> Self {
        let own = format!("group=\"{group}\"");
        let lines = page.lines().filter(|line| line.contains(&own));
        Self(lines.map(sample).collect())
    }

    /// A sample that must be there, as a number without fraction.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        let value = self.value(name);
        assert_eq!(value.fract(), 0.0, "{name}");
        format!("{value}").parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> f64 {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:#?}", self.0))
    }

    pub(crate) fn delivery(&self, outcome: &str) -> u64 {
        self.count(&format!("ordered_deliveries_total {outcome}"))
    }

    pub(crate) fn step(&self, step: &str) -> u64 {
        self.count(&format!("ordered_events_total {step}"))
    }

    /// The sum of what has one of these names, whatever the value of its label.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let of_name = |sample: &&String| sample.split(' ').next() == Some(name);
        let samples = self.0.keys().filter(of_name);
        samples.map(|sample| self.count(sample)).sum()
    }

    /// The counters that have gone down since.
    pub(crate) fn lower_than(&self, before: &Self) -> Vec<String> {
        let counter = |name: &str| name.contains("_total") || name.ends_with("_count");
        let lower = |(name, now): (&String, &f64)| {
            let down = before.0.get(name).is_some_and(|before| before > now);
            (counter(name) && down).then(|| name.clone())
        };
        self.0.iter().filter_map(lower).collect()
    }
}

fn sample(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').expect("labels");
    let other = labels
        .trim_end_matches('}')
        .split(',')
        .find(|label| !label.starts_with("group="));
    let name = match other.and_then(|label| label.split('"').nth(1)) {
        Some(value) => format!("{name} {value}"),
        None => name.to_owned(),
    };
    (name, value.parse().expect("a number"))
}
