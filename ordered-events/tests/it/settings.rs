//! The table of settings in the documentation is whole, and says of each when to change it.

use ordered_events::core::handler::HandlerOptions;
use ordered_events::core::worker::Settings;

const PRODUCTION: &str = include_str!("../../../docs/running-in-production.md");

/// The rows of the tables of settings and options.
fn rows() -> Vec<Vec<&'static str>> {
    let mut rows = Vec::new();
    let mut lines = PRODUCTION.lines();
    while let Some(line) = lines.next() {
        if line.ends_with("| default | meaning | when to change it |") {
            let table = lines
                .by_ref()
                .skip(1)
                .take_while(|line| line.starts_with('|'));
            let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim);
            rows.extend(table.map(|row| cells(row).collect::<Vec<_>>()));
        }
    }
    rows
}

/// The names of the fields of a struct, as `Debug` has them.
fn fields(debug: &str) -> Vec<String> {
    let pretty = debug.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?.split_once(": ")?.0;
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        is_name.then(|| name.to_owned())
    });
    pretty.collect()
}

#[test]
fn each_setting_has_a_default_a_meaning_and_a_reason_to_change_it() {
    let rows = rows();
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let names = names.join(" ");
    let mut all = fields(&format!("{:#?}", Settings::default()));
    all.extend(fields(&format!("{:#?}", HandlerOptions::new("group"))));
    assert!(all.len() > 25, "{all:?}");
    for name in all {
        // Those of the whole are in the rows of their fields, and the group is named above.
        if !["policy", "group"].contains(&name.as_str()) {
            assert!(names.contains(&format!("`{name}`")), "{name}");
        }
    }
}
