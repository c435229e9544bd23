//! Histories in short lines, and what is found in them.

use ordered_history::{Commits, History, Rules};

/// `words` is one line: what, key and seq, then `worker`, `fence`, `at` and the like as `name=value`, and `seqs` with
/// commas between.
fn line(words: &str) -> String {
    let mut words = words.split(' ');
    let what = words.next().unwrap();
    let mut fields = vec![format!(r#""line": "{what}""#)];
    for word in words {
        let (name, value) = word.split_once('=').unwrap();
        if name == "seqs" {
            fields.push(format!("{name:?}: [{value}]"));
            continue;
        }
        let number = value.parse::<u64>().is_ok();
        let value = if number {
            value.into()
        } else {
            format!("{value:?}")
        };
        fields.push(format!("{name:?}: {value}"));
    }
    format!("{{{}}}\n", fields.join(", "))
}

pub(crate) fn broken(lines: &[&str]) -> Vec<String> {
    broken_where(Commits::Reported, lines)
}

pub(crate) fn broken_where(commits: Commits, lines: &[&str]) -> Vec<String> {
    let rules = Rules {
        commits,
        ..Rules::default()
    };
    broken_by(rules, lines)
}

pub(crate) fn broken_by(rules: Rules, lines: &[&str]) -> Vec<String> {
    let text: String = lines.iter().map(|words| line(words)).collect();
    let history: History = text.parse().unwrap();
    let violations = history.violations_by(rules);
    violations.iter().map(ToString::to_string).collect()
}

pub(crate) const PUBLISHED: [&str; 2] =
    ["published key=k seq=1 id=a", "published key=k seq=2 id=b"];

pub(crate) fn after_publishing(lines: &[&str]) -> Vec<String> {
    broken(&[&PUBLISHED[..], lines].concat())
}
