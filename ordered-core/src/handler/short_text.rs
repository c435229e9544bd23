use std::fmt::{self, Display, Write};

/// Most keys and ids are no longer.
const SHORT: usize = 64;

/// The text form of a value, put together without the heap where it is short: there are two for each event.
pub(super) struct ShortText {
    bytes: [u8; SHORT],
    length: usize,
    /// The whole text, where it is longer.
    long: String,
}

impl ShortText {
    pub(super) fn of(value: &(impl Display + ?Sized)) -> Self {
        let mut text = Self {
            bytes: [0; SHORT],
            length: 0,
            long: String::new(),
        };
        // As `to_string` does.
        write!(text, "{value}").expect("a `Display` that fails is broken");
        text
    }

    fn short(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("it was written as text")
    }
}

impl AsRef<str> for ShortText {
    fn as_ref(&self) -> &str {
        if self.long.is_empty() {
            self.short()
        } else {
            &self.long
        }
    }
}

impl Write for ShortText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        match self.bytes.get_mut(self.length..end) {
            Some(place) if self.long.is_empty() => {
                place.copy_from_slice(part.as_bytes());
                self.length = end;
            }
            _ => {
                if self.long.is_empty() {
                    self.long = self.short().to_owned();
                }
                self.long.push_str(part);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_it_would_be_on_the_heap_alone() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 600] {
            let value = "x".repeat(length);
            assert_eq!(ShortText::of(&value).as_ref(), value);
        }
        for (first, second) in [("ü", 1), ("üüüü", 60), ("a", 64), ("", 65)] {
            let second = "ü".repeat(second);
            let parts = ShortText::of(&format_args!("{first}-{second}{}", 1));
            assert_eq!(parts.as_ref(), format!("{first}-{second}1"));
        }
    }
}
