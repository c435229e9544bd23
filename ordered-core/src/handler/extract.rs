use super::{Context, MissingState, States};

/// What a handler may take as an argument after the event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an ordered handler",
    label = "not something the worker can give",
    note = "the first argument is the event; each other one is a `Context`, a `State<T>` with a `T` that is `Clone + \
            Send + Sync`, or a type of yours that implements `FromContext`"
)]
pub trait FromContext: Sized {
    /// Makes the argument.
    ///
    /// # Errors
    /// When the state it is made from was not given to the worker.
    fn from_context(context: &Context) -> Result<Self, MissingState>;

    /// Says before the worker starts whether [`from_context`](FromContext::from_context) will find its state.
    ///
    /// # Errors
    /// As `from_context`.
    fn check(_states: &States) -> Result<(), MissingState> {
        Ok(())
    }
}

impl FromContext for Context {
    fn from_context(context: &Context) -> Result<Self, MissingState> {
        Ok(context.clone())
    }
}
