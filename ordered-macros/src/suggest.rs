/// The name that was probably meant.
pub(crate) fn closest<'a>(
    given: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let slip = names
        .clone()
        .map(|name| (distance(given, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .map(|(_, name)| name);
    let part = || {
        names
            .clone()
            .filter(|name| given.len() > 2 && (name.contains(given) || given.contains(name)))
            .max_by_key(|name| name.len())
    };
    slip.or_else(part)
}

/// The edit distance of Levenshtein.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_parts_are_recognised() {
        let names = ["key", "seq", "id", "timeout", "dedup_ttl", "max_attempts"];
        for (given, meant) in [
            ("kee", Some("key")),
            ("sequence", Some("seq")),
            ("time_out", Some("timeout")),
            ("ttl", Some("dedup_ttl")),
            ("max_attemps", Some("max_attempts")),
            ("attempts", Some("max_attempts")),
            ("order_key", Some("key")),
            ("event_id", Some("id")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(closest(given, names.into_iter()), meant, "{given}");
        }
    }

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
