//! The way of an event through a router.

use std::sync::{Arc, PoisonError};

use tracing::info;

use super::{InvalidHandler, Route, Routed, RoutedTo, Router, Unhandled, agree, quoted, types};
use crate::event::Envelope;
use crate::handler::{
    Context, Decoded, EventPlaces, Handler, HandlerError, HandlerOptions, Malformed, MissingState,
    OnExhausted, READ_AGAIN, States, Work, json_fields,
};
use crate::protocol::Stamp;

/// Of how many types that are ignored the log speaks, once each: a type may be made of anything.
const MAX_LOGGED_TYPES: usize = 64;

impl Router {
    /// For whom an event is.
    fn find(&self, envelope: &Envelope) -> Result<(usize, &Route), Option<String>> {
        let of_type = types::type_of(envelope, self.place.as_ref());
        let route = of_type
            .as_ref()
            .and_then(|of_type| self.by_type.get(of_type));
        match route {
            Some(route) => Ok((*route, &self.routes[*route])),
            None => Err(of_type),
        }
    }

    /// The event without what is around it, where the type may be inside.
    fn inner(&self, envelope: &Envelope) -> Option<Envelope> {
        let places = self.routes.first()?.handler.places()?;
        places.of_sns(envelope)
    }

    /// What happens to an event that nobody handles.
    fn nobody(&self, of_type: Option<&str>) -> Result<(), HandlerError> {
        let what = || match of_type {
            Some(of_type) => {
                format!("no handler of the router handles events of the type `{of_type}`")
            }
            None => format!(
                "the event names no type, and the router chooses its handler by it (looked for in {})",
                types::sentence(self.place.as_ref())
            ),
        };
        match self.unhandled {
            Unhandled::Ignore => {
                self.log_ignored(of_type);
                Ok(())
            }
            Unhandled::DeadLetter => {
                Err(HandlerError::permanent(what()).then(OnExhausted::DeadLetter))
            }
            Unhandled::Halt => Err(HandlerError::transient(what())
                .retry_after(READ_AGAIN)
                .then(OnExhausted::Halt)),
        }
    }

    fn log_ignored(&self, of_type: Option<&str>) {
        let of_type = of_type.unwrap_or("(none)");
        let mut logged_types = self
            .logged_types
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if logged_types.len() < MAX_LOGGED_TYPES && logged_types.insert(of_type.to_owned()) {
            let group = Handler::options(self).group;
            info!(
                group,
                event_type = of_type,
                "events of this type have no handler, and are ignored; this is told once of each type"
            );
        }
    }
}

#[diagnostic::do_not_recommend]
impl Handler for Router {
    type Event = Routed;

    /// Those of the first handler, which are those of all. The group is empty where they name several.
    fn options(&self) -> HandlerOptions {
        let group = self.common_group().unwrap_or_default();
        match self.routes.first() {
            Some(first) => HandlerOptions {
                group,
                ..first.handler.options()
            },
            None => HandlerOptions::new(group),
        }
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<Routed>, Malformed> {
        let inner = self.inner(envelope);
        match self.find(inner.as_ref().unwrap_or(envelope)) {
            Ok((route, Route { handler, .. })) => {
                let decoded = handler.read(envelope)?;
                Ok(decoded.map(|event| Routed(RoutedTo::Handler { route, event })))
            }
            Err(of_type) => {
                // All handlers look for key, seq and id in the same places.
                let place = self.routes.first();
                let place = place.and_then(|first| first.handler.place(envelope));
                let Some(place) = place else {
                    if of_type.is_none() {
                        json_fields(envelope)?;
                    }
                    let of_type = of_type.map_or_else(
                        || "without a type".into(),
                        |of_type| format!("of the type `{of_type}`, which no handler handles"),
                    );
                    return Err(Malformed(format!(
                        "the event is {of_type}, and its key, seq or id cannot be read"
                    )));
                };
                Ok(place.map(|()| Routed(RoutedTo::Nobody { of_type })))
            }
        }
    }

    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>> {
        let inner = self.inner(envelope);
        let found = self.find(inner.as_ref().unwrap_or(envelope)).ok();
        let route = found.map(|(_, route)| route).or(self.routes.first());
        route?.handler.place(envelope)
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&Routed>,
    ) -> Result<Option<Stamp>, Malformed> {
        if let Some(Routed(RoutedTo::Handler { route, event })) = event {
            return self.routes[*route].handler.stamp(envelope, Some(event));
        }
        let inner = self.inner(envelope);
        let found = self.find(inner.as_ref().unwrap_or(envelope)).ok();
        let route = found.map(|(_, route)| route).or(self.routes.first());
        route.map_or(Ok(None), |route| route.handler.stamp(envelope, None))
    }

    fn places(&self) -> Option<EventPlaces> {
        let mut places = self.routes.iter().map(|route| route.handler.places());
        let first = places.next()??;
        places.all(|place| place.is_some()).then_some(first)
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        let mut routes = self.routes.iter();
        routes.try_for_each(|route| route.handler.check(states))
    }

    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler> {
        if let Some(mistake) = &self.mistake {
            return Err(mistake.clone());
        }
        agree::check(&self.routes)?;
        for route in &self.routes {
            route.handler.validate(options)?;
        }
        match self.common_group() {
            Err(groups) if options.group.is_empty() => Err(InvalidHandler::new(format!(
                "the handlers of the router are of the groups {}, and share one: say `.group(\"orders\")` to the \
                 router, or `group = \"orders\"` in each attribute",
                quoted(&groups)
            ))),
            _ => Ok(()),
        }
    }

    async fn call(&self, Routed(event): Routed, context: Context) -> Result<(), HandlerError> {
        match event {
            RoutedTo::Handler { route, event } => {
                let handler = Arc::clone(&self.routes[route].handler);
                handler.call(Work::One(event, context)).await
            }
            RoutedTo::Nobody { of_type } => self.nobody(of_type.as_deref()),
        }
    }

    /// Events that follow one another and are for one handler go to it together.
    async fn call_batch(&self, events: Vec<(Routed, Context)>) -> Result<(), HandlerError> {
        let mut events = events.into_iter().peekable();
        while let Some((Routed(event), context)) = events.next() {
            let (route, event) = match event {
                RoutedTo::Handler { route, event } => (route, event),
                RoutedTo::Nobody { of_type } => {
                    self.nobody(of_type.as_deref())?;
                    continue;
                }
            };
            let mut together = vec![(event, context)];
            let is_for = |(Routed(next), _): &(Routed, Context)| match next {
                RoutedTo::Handler { route: next, .. } => *next == route,
                RoutedTo::Nobody { .. } => false,
            };
            while let Some((Routed(RoutedTo::Handler { event, .. }), context)) =
                events.next_if(is_for)
            {
                together.push((event, context));
            }
            let work = Work::Batch(together);
            let context = work.context();
            let outcome = Arc::clone(&self.routes[route].handler).call(work).await;
            context.finish(outcome).await?;
        }
        Ok(())
    }
}
