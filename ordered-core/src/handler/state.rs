use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Context, FromContext};

/// Application state, one value per type, given to the worker with `.state(value)`.
#[derive(Clone, Default)]
pub struct States {
    by_type: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

/// A handler asks for state that the worker was not given.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the handler takes `State<{0}>`, but the worker was given none: add `.state(…)` with a `{0}` to its builder"
)]
pub struct MissingState(pub &'static str);

crate::debug_as_text!(MissingState);

impl States {
    /// Adds a value, in place of an earlier one of the same type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.by_type.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.by_type.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States")
            .field("types", &self.by_type.len())
            .finish()
    }
}

/// A clone of the application state of this type, as an argument of a handler: `State(db): State<Db>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    fn from_context(context: &Context) -> Result<Self, MissingState> {
        context
            .states()
            .get::<T>()
            .cloned()
            .map(Self)
            .ok_or(MissingState(type_name::<T>()))
    }

    fn check(states: &States) -> Result<(), MissingState> {
        states
            .get::<T>()
            .map(|_| ())
            .ok_or(MissingState(type_name::<T>()))
    }
}
