//! Several handlers for the events of one queue, chosen by the type of the event.

mod agree;
mod dispatch;
mod types;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};

pub use types::HandledTypes;

use super::{AnyEvent, DynHandler, EventPlace, Handler};

/// One handler for each type of event, under one order: the handlers share the group, so a key has one position, and
/// its events run one after the other whichever handler they are for.
///
/// ```
/// # use ordered_core::handler::{Handler, Router, Unhandled};
/// # fn router(order_created: impl Handler, order_shipped: impl Handler) -> Router {
/// Router::new()
///     .group("orders")
///     .on("OrderCreated", order_created)
///     .on("OrderShipped", order_shipped)
///     .unhandled(Unhandled::Halt)
/// # }
/// ```
///
/// # Where an event says its type
///
/// Unless [`event_type`](Router::event_type) says where, the first of these that is there counts:
///
/// 1. the header `x-ordered-type`, which publishers and the outbox of `ordered` set;
/// 2. the `type` of a CloudEvent in the headers (`ce-type`, `ce_type`, `cloudEvents:type`, `cloudEvents_type`);
/// 3. the property `type` of a message of RabbitMQ (`amqp.type`);
/// 4. `type` at the top of the JSON, which is also where a CloudEvent in the structured mode has it;
/// 5. `type` in the `payload` of the JSON.
///
/// Where it is in the JSON, the body is read twice.
///
/// # What the handlers have in common
///
/// Where key, seq and id are, the order, and all options: they are of the group. Where two handlers differ, the worker
/// is not built. Their groups may differ as long as [`group`](Router::group), or the worker's builder, names one.
pub struct Router {
    group: Option<String>,
    place: Option<EventPlace>,
    unhandled: Unhandled,
    routes: Vec<Route>,
    by_type: HashMap<String, usize>,
    /// The first mistake that was made while it was put together.
    mistake: Option<InvalidHandler>,
    /// The types without a handler that were logged.
    logged_types: Mutex<HashSet<String>>,
}

struct Route {
    types: Vec<String>,
    handler: Arc<dyn DynHandler>,
}

/// What happens to an event that no handler of a [`Router`] handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Unhandled {
    /// Its key waits at it, and it is tried again every 30 seconds, so that a newer version that knows the type goes on
    /// with it. After `give_up_after` the key halts, whatever `on_exhausted` says.
    #[default]
    Halt,
    /// It is committed without a handler, and its key goes on.
    Ignore,
    /// The store dead-letters it as a dead letter, whatever `on_exhausted` says, and its key goes on.
    DeadLetter,
}

/// A handler that was not put together right; the message says what to do.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidHandler(String);

crate::debug_as_text!(InvalidHandler);

impl InvalidHandler {
    /// With this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// An event as the [`Router`] has read it: for which handler it is.
pub struct Routed(RoutedTo);

enum RoutedTo {
    Handler { route: usize, event: AnyEvent },
    Nobody { of_type: Option<String> },
}

impl Router {
    /// A router without handlers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            group: None,
            place: None,
            unhandled: Unhandled::default(),
            routes: Vec::new(),
            by_type: HashMap::new(),
            mistake: None,
            logged_types: Mutex::default(),
        }
    }

    /// Events of this type are for this handler. A handler may have several types.
    #[must_use]
    pub fn on(mut self, event_type: impl Into<String>, handler: impl Handler) -> Self {
        let event_type = event_type.into();
        if let Some(own) = Handler::handled_types(&handler)
            && !own.types().contains(&event_type)
        {
            self.mistake(format!(
                "the handler that is given to the router for `{event_type}` says itself that it handles {}: say it in \
                 one place",
                quoted(own.types())
            ));
        }
        self.route(vec![event_type], Arc::new(handler));
        self
    }

    /// Events of the types that the handler names itself, as with `#[ordered_handler(…, on = "OrderCreated")]`, are for
    /// this handler.
    #[must_use]
    pub fn handler(self, handler: impl Handler) -> Self {
        self.shared(Arc::new(handler))
    }

    /// A router with this handler, which names its types.
    pub(crate) fn of(handler: Arc<dyn DynHandler>) -> Self {
        Self::new().shared(handler)
    }

    fn shared(mut self, handler: Arc<dyn DynHandler>) -> Self {
        let Some(own) = handler.handled_types() else {
            self.mistake(format!(
                "the handler of group `{}` names no types: write `on = \"OrderCreated\"` into its attribute, or give \
                 it with `.on(\"OrderCreated\", …)`",
                handler.options().group
            ));
            return self;
        };
        if let Some(place) = own.place() {
            match &self.place {
                Some(known) if known != place => {
                    let (known, place) =
                        (types::sentence(Some(known)), types::sentence(Some(place)));
                    self.mistake(format!(
                        "the router looks for the type of an event in {known}, and a handler of it in {place}: say it \
                         in one place"
                    ));
                }
                _ => self.place = Some(place.clone()),
            }
        }
        self.route(own.types().to_vec(), handler);
        self
    }

    /// What happens to events that no handler handles. Default: their keys halt.
    #[must_use]
    pub fn unhandled(mut self, then: Unhandled) -> Self {
        self.unhandled = then;
        self
    }

    /// The group of all handlers; needed where they name different ones.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// Where an event says its type, and nowhere else: `"header:x-event-type"`, or a place in its JSON, `"/meta/type"`.
    #[must_use]
    pub fn event_type(mut self, place: impl AsRef<str>) -> Self {
        let text = place.as_ref();
        match types::place(text) {
            Some(place) if self.place.as_ref().is_none_or(|known| *known == place) => {
                self.place = Some(place);
            }
            Some(_) => self.mistake(format!(
                "the router looks for the type of an event in `{text}`, and a handler of it in {}: say it in one place",
                types::sentence(self.place.as_ref())
            )),
            None => self.mistake(format!(
                "`{text}` is no place of the type of an event: write `header:` and the name of a header, or a place in \
                 the JSON such as `/meta/type`"
            )),
        }
        self
    }

    fn route(&mut self, types: Vec<String>, handler: Arc<dyn DynHandler>) {
        let route = self.routes.len();
        if types.is_empty() || types.iter().any(|of_type| of_type.trim().is_empty()) {
            self.mistake("a type of the router is empty: write `.on(\"OrderCreated\", …)`");
        }
        for of_type in &types {
            if self.by_type.insert(of_type.clone(), route).is_some() {
                self.mistake(format!(
                    "the router has two handlers for `{of_type}`: an event has one; call the other from it"
                ));
            }
        }
        self.routes.push(Route { types, handler });
    }

    fn mistake(&mut self, what: impl Into<String>) {
        self.mistake.get_or_insert(InvalidHandler::new(what));
    }

    /// Without one, the groups that the handlers name.
    fn common_group(&self) -> Result<String, Vec<String>> {
        if let Some(group) = &self.group {
            return Ok(group.clone());
        }
        let mut groups: Vec<String> = Vec::new();
        for route in &self.routes {
            let group = route.handler.options().group;
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        match <[String; 1]>::try_from(groups) {
            Ok([only]) => Ok(only),
            Err(several) => Err(several),
        }
    }
}

impl Route {
    fn shown(&self) -> String {
        quoted(&self.types)
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("group", &self.group)
            .field("types", &self.by_type.keys())
            .field("unhandled", &self.unhandled)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RoutedTo::Handler { route, .. } => f.debug_tuple("Routed").field(route).finish(),
            RoutedTo::Nobody { of_type } => f.debug_tuple("Nobody").field(of_type).finish(),
        }
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
