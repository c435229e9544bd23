pub(crate) mod consumer;
pub(crate) mod logs;
pub(crate) mod scribe;
pub(crate) mod topic;

pub(crate) use consumer::Consumer;
pub(crate) use topic::Topic;
