pub(crate) mod consumer;
pub(crate) mod recording_handler;
pub(crate) mod topic;

pub(crate) use consumer::Consumer;
pub(crate) use topic::Topic;
