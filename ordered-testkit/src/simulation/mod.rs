//! An application's handler under every fault that the framework knows, thousands of times a minute.
//!
//! Workers run in one process over a [`MemoryStore`](ordered_core::store::MemoryStore) and a
//! [`MemoryBroker`](ordered_core::transport::MemoryBroker) in paused time. A seed decides every delay, duplicate, lost
//! reply, crash and pause, so that a run that fails can be repeated as it was. What happened is a
//! [`History`](crate::history::History), held against what the framework promises, and against what the application
//! itself expects.
//!
//! ```
//! use ordered_core::event::{Envelope, EventId, Key, Seq};
//! use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
//! use ordered_testkit::simulation::{App, Simulation};
//!
//! /// Reads `key seq`. An application has `#[ordered_handler]` make this of a function.
//! struct Print;
//!
//! impl Handler for Print {
//!     type Event = ();
//!
//!     fn options(&self) -> HandlerOptions {
//!         HandlerOptions::new("print")
//!     }
//!
//!     fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
//!         let text = String::from_utf8_lossy(&envelope.body).into_owned();
//!         let (key, seq) = text.split_once(' ').ok_or(Malformed("no space".into()))?;
//!         let key = Key::new(key)?;
//!         let seq = Seq::new(seq.parse().map_err(|_| Malformed("no number".into()))?)?;
//!         let id = EventId::of_content(&key, seq, &envelope.body);
//!         Ok(Decoded { key, seq, id, event: () })
//!     }
//!
//!     async fn call(&self, (): (), _context: Context) -> Result<(), HandlerError> {
//!         Ok(())
//!     }
//! }
//!
//! let events = (1..=5).flat_map(|seq| ["a", "b"].map(|key| Envelope::new(format!("{key} {seq}"))));
//! Simulation::new(|| App::new(Print)).events(events).runs(20).assert();
//! ```

mod app;
mod builder;
mod failure;
mod fault_schedule;
mod faults;
mod fleet;
mod key_change;
mod recorder;
mod run;
mod store;
mod transport;
mod watched;

pub use app::App;
pub use builder::{RUNS, SEED, Simulation, Summary};
pub use failure::{Failure, Problem};
pub use faults::Faults;
