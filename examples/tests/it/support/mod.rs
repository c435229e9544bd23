//! What the tests of the examples share.

pub(crate) mod handled_log;
pub(crate) mod killed_worker;
pub(crate) mod load;
pub(crate) mod processes;
pub(crate) mod tracing_capture;
