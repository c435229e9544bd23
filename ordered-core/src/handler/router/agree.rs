//! What the handlers of a router have to agree on, since one group and one engine serve all of them.

use super::{InvalidHandler, Route};
use crate::handler::{EventPlaces, HandlerOptions};

/// Says whether all handlers treat the events of a key alike.
///
/// # Errors
/// Names the first two handlers that do not, and in what.
pub(super) fn check(routes: &[Route]) -> Result<(), InvalidHandler> {
    let Some((first, others)) = routes.split_first() else {
        return Err(InvalidHandler::new(
            "the router has no handler: add `.on(\"OrderCreated\", …)`",
        ));
    };
    let (options, places) = (first.handler.options(), first.handler.places());
    for other in others {
        let differing = difference(&options, &other.handler.options()).or_else(|| {
            other_places(places.as_ref(), other.handler.places().as_ref())
                .then_some("key, seq, id or envelope")
        });
        if let Some(what) = differing {
            return Err(InvalidHandler::new(format!(
                "the handlers of the router for {} and for {} differ in {what}: one key has one order and one \
                 position, so all handlers of a router say the same",
                first.shown(),
                other.shown()
            )));
        }
    }
    Ok(())
}

/// Places that a handler does not tell cannot be compared.
fn other_places(first: Option<&EventPlaces>, other: Option<&EventPlaces>) -> bool {
    matches!((first, other), (Some(first), Some(other)) if first != other)
}

/// The first option that differs; the groups may.
fn difference(first: &HandlerOptions, other: &HandlerOptions) -> Option<&'static str> {
    macro_rules! compare {
        ($($path:ident).+ $(, $($more:ident).+)* $(,)?) => {
            if first.$($path).+ != other.$($path).+ {
                return Some(compare!(@name $($path).+));
            }
            $(compare!($($more).+);)*
        };
        (@name $only:ident) => { concat!("`", stringify!($only), "`") };
        (@name policy.$name:ident) => { concat!("`", stringify!($name), "`") };
    }
    compare!(
        policy.order,
        policy.first_seq,
        policy.start,
        policy.on_gap,
        policy.dedup_ttl,
        policy.give_up_after,
        policy.max_attempts,
        policy.max_crashes,
        policy.stuck_after,
        policy.lane_depth,
        policy.key_quota,
        policy.group_quota,
        timeout,
        backoff,
        lane_backoff,
        on_exhausted,
        on_late,
        on_stale,
        on_repeat,
        on_state_loss,
        batch,
        commit_window,
    );
    let other = HandlerOptions {
        group: first.group.clone(),
        ..other.clone()
    };
    (*first != other).then_some("an option")
}
