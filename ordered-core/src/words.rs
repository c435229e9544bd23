//! What others said, as it can be kept and logged.

use std::any::Any;

/// What a panic said.
pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

/// The last place up to `most` bytes at which a text can be cut.
pub(crate) fn cut_before(text: &str, most: usize) -> usize {
    let places = (0..=most.min(text.len())).rev();
    let mut places = places.filter(|place| text.is_char_boundary(*place));
    places.next().unwrap_or(0)
}

/// The beginning of a text of more than so many bytes.
pub(crate) fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(cut_before(&text, most));
        text.push('…');
    }
    text
}

/// What an error is about: its first line, with `…` in place of `names`, and of words with a digit in them. So the
/// errors of many events that failed alike are one text.
pub(crate) fn cause_of(error: &str, names: &[&str]) -> String {
    let line = error.lines().find(|line| !line.trim().is_empty());
    let mut line = line.unwrap_or_default().trim().to_owned();
    let mut names: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| name.len() > 1)
        .collect();
    // A longer name may have a shorter one in it.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names {
        line = replace_word(&line, name);
    }
    let mut cause = String::with_capacity(line.len());
    let mut word = String::new();
    for letter in line.chars().chain([' ']) {
        if letter.is_alphanumeric() || matches!(letter, '-' | '_' | '…') {
            word.push(letter);
            continue;
        }
        if word.contains(|letter: char| letter.is_ascii_digit()) {
            cause.push('…');
        } else {
            cause += &word;
        }
        word.clear();
        cause.push(letter);
    }
    cause.pop();
    cause
}

/// Puts `…` in place of a name where it stands by itself.
fn replace_word(line: &str, name: &str) -> String {
    let is_inner = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let (mut replaced, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find(name) {
        let (before, behind) = (&rest[..at], &rest[at + name.len()..]);
        let last = before.chars().next_back().or(replaced.chars().next_back());
        replaced += before;
        if is_inner(last) || is_inner(behind.chars().next()) {
            replaced += name;
        } else {
            replaced.push('…');
        }
        rest = behind;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::{cause_of, shortened};

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(shortened("ü".repeat(3), 6), "üüü");
        assert_eq!(shortened("ü".repeat(3), 5), "üü…");
    }

    #[test]
    fn errors_that_differ_in_names_and_numbers_are_one_cause() {
        for (error, cause) in [
            (
                "no price for the article 4711",
                "no price for the article …",
            ),
            ("timed out after 3.5s", "timed out after …."),
            ("anna: no such customer", "…: no such customer"),
            ("annabel is not anna", "annabel is not …"),
            ("order-17 (e-3): refused", "… (…): refused"),
            ("\n first line\nsecond 2", "first line"),
            ("", ""),
        ] {
            let names = ["anna", "order-17"];
            let expected = cause.replace("….", "….…");
            assert_eq!(cause_of(error, &names), expected, "{error}");
        }
    }
}
