use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::ShortString;

/// A message as it was delivered, kept until it is settled: a dead letter or a deferred event is a copy of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Original {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}
