use crate::handler::{InvalidHandler, MissingState};
use crate::store::StoreError;
use crate::transport::TransportError;

/// Why a worker cannot be built.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A part is not there.
    #[error("the worker has no {part}: add {how} to its builder")]
    Missing {
        /// Which one.
        part: &'static str,
        /// The call that adds it.
        how: &'static str,
    },
    /// More than one handler was given, and only the last would have got events.
    #[error(
        "the worker has several handlers, and takes one: the events of {} would have been handled by none. Where they \
         handle different types of events of one queue, give one `Router`: \
         `.handler(Router::new().on(\"OrderCreated\", a).on(\"OrderShipped\", b))`. Where each has a queue of its own, \
         give them to an `App`: `App::new().handler(queue, a).handler(other_queue, b)`",
        quoted(.replaced)
    )]
    SeveralHandlers {
        /// The groups of those that were given before the last.
        replaced: Vec<String>,
    },
    /// A setting has a value that cannot work.
    #[error("the setting `{name}` {problem}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// The handler asks for state that is not there.
    #[error(transparent)]
    State(#[from] MissingState),
    /// The handler was not put together right.
    #[error(transparent)]
    Handler(#[from] InvalidHandler),
    /// Several workers were put together that would take each other's events.
    #[error("{0}")]
    Workers(String),
}

impl BuildError {
    pub(super) fn setting(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting {
            name,
            problem: problem.into(),
        }
    }
}

/// Why a worker stopped, other than because it was asked to.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It was not built right.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The store will not work like this.
    #[error("the store: {0}")]
    Store(#[source] StoreError),
    /// The store lost the state of the group, and the group stops where that happens.
    #[error(
        "the store lost the state of group `{group}`: its keys, held events and remembered ids are gone. The log says \
         which of {keys} keys this worker knew and how far they were. Restore the store from a backup, or import the \
         last seqs, and start the workers again; or set `on_state_loss` to adopt what the workers still know"
    )]
    StateLost {
        /// The group.
        group: String,
        /// How many keys the worker knew.
        keys: usize,
    },
    /// The transport will not work like this.
    #[error("the transport: {0}")]
    Transport(#[source] TransportError),
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

impl std::fmt::Debug for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error_text::write_with_causes(self, f)
    }
}

impl std::fmt::Debug for WorkerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error_text::write_with_causes(self, f)
    }
}
