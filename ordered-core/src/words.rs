//! What others said, as it can be kept and logged.

use std::any::Any;

/// What a panic said.
pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

/// The beginning of a text of more than so many bytes.
pub(crate) fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(shortened("ü".repeat(3), 6), "üüü");
        assert_eq!(shortened("ü".repeat(3), 5), "üü…");
    }
}
