//! The trace of the producer goes on in the handler.

mod exported;
mod fields;
mod support;
