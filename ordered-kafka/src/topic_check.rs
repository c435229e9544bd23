use std::time::Duration;

use tracing::{info, warn};

use crate::topic_description::{Settings, TopicDescription};

/// Below this, what a worker that is down for a weekend has not read is deleted.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is said at the start about a topic: what its settings and its brokers' mean for the group that reads it.
pub(crate) struct TopicCheck<'a> {
    pub(crate) topic: &'a str,
    pub(crate) group: &'a str,
    pub(crate) dead_letters: &'a str,
    pub(crate) description: &'a TopicDescription,
}

impl TopicCheck<'_> {
    pub(crate) fn log(&self) {
        let TopicDescription {
            partitions,
            replicas,
            brokers,
            records,
            ..
        } = *self.description;
        info!(
            topic = self.topic,
            group = self.group,
            partitions,
            replicas,
            brokers,
            records,
            dead_letters = self.dead_letters,
            "Kafka topic: each partition is read by one worker of the group at a time"
        );
        for finding in self.findings() {
            match finding {
                Finding::Fine(text) => info!(topic = self.topic, "{text}"),
                Finding::Risk(text) => warn!(topic = self.topic, "{text}"),
            }
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        match &self.description.topic {
            Some(settings) => {
                findings.push(self.durability(settings));
                findings.extend(compaction(settings));
                findings.push(retention(settings));
                findings.extend(election(settings));
            }
            None => findings.push(Finding::Fine(
                "the settings of the topic may not be read (DESCRIBE_CONFIGS), so nothing is said about what they \
                 promise".into(),
            )),
        }
        findings.extend(self.description.broker.as_ref().and_then(offsets));
        findings
    }

    fn durability(&self, settings: &Settings) -> Finding {
        let replicas = self.description.replicas;
        let in_sync = settings.number("min.insync.replicas").unwrap_or(1);
        if replicas < 2 {
            return Finding::Risk(
                "the topic has one copy (replication factor 1): when its broker loses its disk, the events are \
                 gone"
                .into(),
            );
        }
        if in_sync < 2 {
            return Finding::Risk(format!(
                "the topic has {replicas} copies, and an event is confirmed with one (min.insync.replicas {in_sync}): \
                 the loss of a broker can lose events that were confirmed; set it to 2"
            ));
        }
        Finding::Fine(format!(
            "the topic has {replicas} copies, and {in_sync} of them have an event before it is confirmed to a producer \
             that asks for it (acks=all)"
        ))
    }
}

/// Something about a topic, in a sentence.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Fine(String),
    /// Events can be lost like this.
    Risk(String),
}

fn compaction(settings: &Settings) -> Option<Finding> {
    let policy = settings.text("cleanup.policy")?;
    policy.contains("compact").then(|| {
        Finding::Risk(format!(
            "the topic is compacted (cleanup.policy {policy}): of the records with one key Kafka keeps the last one, \
             so that events are deleted before they are read, and their keys wait at the gap: set cleanup.policy to \
             delete"
        ))
    })
}

fn retention(settings: &Settings) -> Finding {
    let bytes = settings
        .number("retention.bytes")
        .filter(|bytes| *bytes >= 0);
    let millis = settings.number("retention.ms").unwrap_or(-1);
    let time = u64::try_from(millis).ok().map(Duration::from_millis);
    match (time, bytes) {
        (_, Some(bytes)) => Finding::Risk(format!(
            "each partition keeps its last {bytes} bytes (retention.bytes): events that are not read before are a gap"
        )),
        (Some(time), None) if time < RETENTION => Finding::Risk(format!(
            "the topic keeps events for {time:?} (retention.ms): what is not read before is a gap"
        )),
        (Some(time), None) => Finding::Fine(format!(
            "the topic keeps events for {time:?} (retention.ms)"
        )),
        (None, None) => Finding::Fine("the topic keeps its events".into()),
    }
}

fn election(settings: &Settings) -> Option<Finding> {
    (settings.text("unclean.leader.election.enable") == Some("true")).then(|| {
        Finding::Risk(
            "a copy that lags may become the leader (unclean.leader.election.enable): events that were confirmed can \
             be lost, and their offsets are given again"
                .into(),
        )
    })
}

/// A group whose offsets are forgotten reads everything again.
fn offsets(broker: &Settings) -> Option<Finding> {
    let minutes = broker.number("offsets.retention.minutes")?;
    let days = minutes / (24 * 60);
    Some(if days < 7 {
        Finding::Risk(format!(
            "the broker forgets how far the group is after {minutes} minutes without a worker \
             (offsets.retention.minutes); it then reads the whole topic again"
        ))
    } else {
        Finding::Fine(format!(
            "the broker remembers how far the group is for {days} days without a worker (offsets.retention.minutes)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter();
        Settings(
            pairs
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
    }

    fn findings(replicas: usize, topic: &[(&str, &str)], broker: &[(&str, &str)]) -> Vec<Finding> {
        let description = TopicDescription {
            replicas,
            topic: Some(settings(topic)),
            broker: Some(settings(broker)),
            ..TopicDescription::default()
        };
        let report = TopicCheck {
            topic: "orders",
            group: "g",
            dead_letters: "orders.dead",
            description: &description,
        };
        report.findings()
    }

    fn risks(findings: &[Finding]) -> Vec<&str> {
        let risks = findings.iter().filter_map(|finding| match finding {
            Finding::Risk(text) => Some(text.as_str()),
            Finding::Fine(_) => None,
        });
        risks.collect()
    }

    const GOOD: [(&str, &str); 4] = [
        ("min.insync.replicas", "2"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "-1"),
        ("cleanup.policy", "delete"),
    ];

    #[test]
    fn a_topic_that_loses_nothing_is_no_risk() {
        let said = findings(3, &GOOD, &[("offsets.retention.minutes", "10080")]);
        assert_eq!(risks(&said), [""; 0]);
        assert_eq!(said.len(), 3);
    }

    #[test]
    fn each_risk_is_named_with_its_setting() {
        for (replicas, name, value, said) in [
            (1, "min.insync.replicas", "1", "replication factor 1"),
            (3, "min.insync.replicas", "1", "min.insync.replicas 1"),
            (3, "retention.ms", "3600000", "retention.ms"),
            (3, "retention.bytes", "1000", "retention.bytes"),
            (3, "cleanup.policy", "compact,delete", "compacted"),
            (
                3,
                "unclean.leader.election.enable",
                "true",
                "unclean.leader",
            ),
        ] {
            let mut topic = GOOD.to_vec();
            topic.retain(|(known, _)| *known != name);
            topic.push((name, value));
            let findings = findings(replicas, &topic, &[]);
            let risks = risks(&findings);
            assert_eq!(risks.len(), 1, "{name}: {risks:?}");
            assert!(risks[0].contains(said), "{}", risks[0]);
        }
        let findings = findings(3, &GOOD, &[("offsets.retention.minutes", "60")]);
        assert!(risks(&findings)[0].contains("offsets.retention.minutes"));
    }
}
