//! What the tests of this crate share.

pub(crate) mod fake_sqs;
pub(crate) mod queue;
pub(crate) mod recording_handler;
