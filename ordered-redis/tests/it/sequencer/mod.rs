//! The sequencer, on real servers.

mod kills;
mod limits;
mod list;
mod numbering;
mod publishing;
