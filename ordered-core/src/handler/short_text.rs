use std::fmt::{self, Display, Write};

use crate::event::EventId;

/// The longest text that can be a key or an id.
const MOST: usize = EventId::MAX_BYTES;

/// The text form of a value, for those that are short, put together without the heap: there are two for each event.
pub(super) struct ShortText {
    bytes: [u8; MOST],
    /// Of the whole text, also where only its beginning is here.
    length: usize,
}

impl ShortText {
    pub(super) fn of(value: &(impl Display + ?Sized)) -> Self {
        let mut text = Self {
            bytes: [0; MOST],
            length: 0,
        };
        // As `to_string` does.
        write!(text, "{value}").expect("a `Display` that fails is broken");
        text
    }

    /// The text.
    ///
    /// # Errors
    /// How long it is, where it is too long for any key or id.
    pub(super) fn get(&self) -> Result<&str, usize> {
        let bytes = self.bytes.get(..self.length).ok_or(self.length)?;
        Ok(std::str::from_utf8(bytes).expect("it was written as text"))
    }
}

impl Write for ShortText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(part.as_bytes());
        }
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_as_it_would_be_on_the_heap() {
        for value in [String::new(), "x".into(), "ü".repeat(MOST / 2)] {
            assert_eq!(ShortText::of(&value).get(), Ok(value.as_str()));
        }
        assert_eq!(
            ShortText::of(&format_args!("{}-{}", 1, "b")).get(),
            Ok("1-b")
        );
    }

    #[test]
    fn a_text_that_is_too_long_says_how_long_it_is() {
        let value = "ü".repeat(MOST);
        assert_eq!(ShortText::of(&value).get(), Err(2 * MOST));
        let parts = format_args!("{value}{}", "more").to_string();
        assert_eq!(ShortText::of(&parts).get(), Err(2 * MOST + 4));
    }
}
