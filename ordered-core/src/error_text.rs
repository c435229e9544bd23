//! How errors that people meet are printed.

use std::error::Error;
use std::fmt;

/// Writes the error with all its causes, joined by `: `; what an error says of its cause itself is not repeated. As the
/// `Debug` of an error it is what a `main` that returns the error prints.
///
/// # Errors
/// When it cannot be written.
#[doc(hidden)]
pub fn write_with_causes(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = error.to_string();
    f.write_str(&text)?;
    let mut cause = error.source();
    while let Some(error) = cause {
        let of_cause = error.to_string();
        if !text.contains(&of_cause) {
            write!(f, ": {of_cause}")?;
            text = of_cause;
        }
        cause = error.source();
    }
    Ok(())
}

/// Makes the text of errors with their causes their `Debug`, too.
#[doc(hidden)]
#[macro_export]
macro_rules! debug_as_text {
    ($($error:ty),+) => {$(
        impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::internal::write_with_causes(self, f)
            }
        }
    )+};
}
