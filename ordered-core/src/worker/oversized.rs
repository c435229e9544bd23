//! Bodies above `max_body_bytes`: they keep their place among the events of their key, and are not run.

use super::Settings;
use crate::event::{Envelope, EventId};
use crate::handler::{Decoded, DynHandler, HandlerError, Malformed, READ_AGAIN};

/// What is held in place of an event that is too large to be kept.
pub(super) struct Excerpt {
    pub(super) event: Envelope,
    /// Why the whole is dead-lettered.
    pub(super) why: String,
}

/// Where a body above `max_body_bytes` belongs, and what is kept in its place where it is too large for that, too.
///
/// # Errors
/// When it has no place.
pub(super) fn place(
    handler: &dyn DynHandler,
    envelope: &Envelope,
    settings: &Settings,
) -> Result<(Decoded<()>, Option<Excerpt>), Malformed> {
    let (size, limit) = (envelope.body.len(), settings.max_body_bytes);
    // The place is looked for in the excerpt: to read the whole may take many times its size in memory.
    let mut excerpt = envelope.excerpt();
    let is_kept = size <= settings.max_kept_bytes;
    let place = match handler.place(&excerpt) {
        Some(mut place) => {
            if place.id == EventId::of_content(&place.key, place.seq, &excerpt.body) {
                place.id = EventId::of_content(&place.key, place.seq, &envelope.body);
            }
            Some(place)
        }
        // Not where the excerpt is of JSON: that of the whole is no more.
        None if is_kept || envelope.body.starts_with(&excerpt.body) => handler.place(envelope),
        None => None,
    };
    let Some(mut place) = place else {
        return Err(Malformed(format!(
            "the body has {size} bytes, and may have {limit} at most (setting `max_body_bytes`), and where the event \
             belongs cannot be read"
        )));
    };
    if is_kept {
        return Ok((place, None));
    }
    let why = format!(
        "the body has {size} bytes, and may have {limit} at most (setting `max_body_bytes`): seq {} of key {} is held \
         as an excerpt, and this is the whole",
        place.seq, place.key
    );
    place.id = excerpt.set_excerpt_id(&place.id);
    let event = excerpt;
    Ok((place, Some(Excerpt { event, why })))
}

/// Says whether an event from the store is small enough to be run, and whole.
///
/// # Errors
/// When it is not.
pub(super) fn check(envelope: &Envelope, max_body_bytes: usize) -> Result<(), HandlerError> {
    if let Some(whole) = envelope.excerpt_of() {
        return Err(HandlerError::permanent(format!(
            "the body is too large to be kept (settings `max_body_bytes` and `max_kept_bytes`): the store has an \
             excerpt of it (the whole: {whole}), and the broker's dead letters have the event. Give it a body that can \
             be run with `ordered edit`, or pass over it with `ordered skip`"
        )));
    }
    let size = envelope.body.len();
    if size <= max_body_bytes {
        return Ok(());
    }
    // A worker with another limit is given the chance.
    Err(HandlerError::transient(format!(
        "the body has {size} bytes, and may have {max_body_bytes} at most (setting `max_body_bytes`): it runs in a \
         worker with a larger limit, or with a smaller body (`ordered edit`)"
    ))
    .retry_after(READ_AGAIN))
}
