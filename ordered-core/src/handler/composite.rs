use super::identity::Malformed;
use crate::event::{InvalidKey, Key};

/// The key of an event whose handler names several parts of it, each with its name for the message.
///
/// # Errors
/// When a part cannot be a key, or all of them are too long together.
pub fn composite_key<const N: usize>(
    parts: [(&str, Result<Key, InvalidKey>); N],
) -> Result<Key, Malformed> {
    let mut keys = Vec::with_capacity(N);
    for (name, key) in parts {
        keys.push(key.map_err(|error| match error {
            InvalidKey::Empty => Malformed(format!(
                "the part `{name}` of the key is empty: every event must say which key it belongs to"
            )),
            InvalidKey::TooLong(bytes) => Malformed(format!(
                "the part `{name}` of the key has {bytes} bytes, and a key may have {} at most",
                Key::MAX_BYTES
            )),
        })?);
    }
    Ok(Key::join(keys.iter().map(Key::as_str))?)
}
