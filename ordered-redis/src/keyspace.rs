//! How things are called in Redis.

use std::fmt::Write;

use ordered_core::store::Group;

/// The names of one store: `{<prefix>:<group>:<bucket>}:<structure>`.
///
/// What stands in braces is the hash tag: on a cluster, all structures of one bucket live on one node, so that one
/// script can work on them (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>).
#[derive(Debug, Clone)]
pub(crate) struct Keyspace {
    prefix: String,
}

impl Keyspace {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: escape(prefix),
        }
    }

    /// The hash tag of a bucket.
    pub(crate) fn bucket(&self, group: &Group, bucket: u32) -> String {
        format!("{{{}:{}:{bucket}}}", self.prefix, escape(group.name()))
    }

    /// The hash tag of a sequencer. No group can have this name: a `%` in one is written `%25`.
    pub(crate) fn sequencer(&self, name: &str) -> String {
        format!("{{{}:%sequencer:{}}}", self.prefix, escape(name))
    }

    /// What is recorded of the group as a whole.
    pub(crate) fn meta(&self, group: &str) -> String {
        format!("{}:{}:meta", self.prefix, escape(group))
    }

    /// The workers that have opened the group, and what they are.
    pub(crate) fn workers(&self, group: &str) -> String {
        format!("{}:{}:workers", self.prefix, escape(group))
    }

    /// The processes of the workers of a group.
    pub(crate) fn processes(&self, group: &str) -> String {
        format!("{}:{}:processes", self.prefix, escape(group))
    }

    /// Which group consumes from where. No group can have this name, as below.
    pub(crate) fn sources(&self) -> String {
        format!("{}:sources", self.prefix)
    }

    /// The groups. No group can have this name: theirs have a part more.
    pub(crate) fn groups(&self) -> String {
        format!("{}:groups", self.prefix)
    }
}

/// Prefixes and groups are any text. What separates names is written as `%` and two digits, so that no group can get
/// into the names of another, and no brace into the hash tag.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '{' | '}' | ':' | '%') || letter.is_ascii_control() {
            let _ = write!(escaped, "%{:02X}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use ordered_core::protocol::Policy;

    use super::*;

    fn tag(prefix: &str, group: &str) -> String {
        Keyspace::new(prefix).bucket(&Group::new(group, Policy::default()), 3)
    }

    #[test]
    fn a_plain_name_stays_readable() {
        assert_eq!(tag("ordered", "orders"), "{ordered:orders:3}");
    }

    #[test]
    fn no_prefix_or_group_gets_out_of_its_place() {
        assert_eq!(tag("a}:{b", "c%3A\n"), "{a%7D%3A%7Bb:c%253A%0A:3}");
        assert_ne!(tag("a:b", "c"), tag("a", "b:c"));
        assert_ne!(tag("a", "b%3Ac"), tag("a", "b:c"));
    }
}
