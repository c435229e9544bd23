//! The sequencer, on real servers.

mod kills;
mod limits;
mod numbering;
mod publishing;
