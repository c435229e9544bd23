//! The file `server.properties`.

use std::fmt::Write;

use super::KafkaServer;

/// One node is enough for its own topics, groups come and go without being waited for, and a member may be found dead
/// soon.
const SETTINGS: [(&str, &str); 21] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "4"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "500"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.min.heartbeat.interval.ms", "200"),
    ("auto.create.topics.enable", "false"),
    ("num.network.threads", "2"),
    ("num.io.threads", "2"),
    ("background.threads", "2"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("log.cleaner.dedupe.buffer.size", "2097152"),
];

impl KafkaServer {
    pub(super) fn properties(&self) -> String {
        let (port, controller) = (self.port(), self.controller.number());
        let protocol = if self.users.is_empty() {
            "PLAINTEXT"
        } else {
            "SASL_PLAINTEXT"
        };
        let mut listeners = format!("{protocol}://127.0.0.1:{port}");
        let mut map = format!("CONTROLLER:PLAINTEXT,{protocol}:{protocol}");
        if let Some(tls) = &self.tls {
            let _ = write!(listeners, ",SSL://127.0.0.1:{}", tls.number());
            map.push_str(",SSL:SSL");
        }
        let own = [
            (
                "controller.quorum.voters",
                format!("1@127.0.0.1:{controller}"),
            ),
            (
                "listeners",
                format!("{listeners},CONTROLLER://127.0.0.1:{controller}"),
            ),
            ("advertised.listeners", listeners),
            ("inter.broker.listener.name", protocol.to_owned()),
            ("listener.security.protocol.map", map),
            (
                "log.dirs",
                self.process.folder().join("data").display().to_string(),
            ),
        ];
        let mut settings: Vec<(String, String)> = SETTINGS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .chain(own.map(|(name, value)| (name.to_owned(), value)))
            .chain(self.sasl())
            .chain(self.certificate())
            .collect();
        for (name, value) in &self.settings {
            settings.retain(|(known, _)| known != name);
            settings.push((name.clone(), value.clone()));
        }
        settings
            .iter()
            .fold(String::new(), |mut text, (name, value)| {
                let _ = writeln!(text, "{name}={value}");
                text
            })
    }

    fn certificate(&self) -> Vec<(String, String)> {
        if self.tls.is_none() {
            return Vec::new();
        }
        let place = self.process.folder().join("broker.pem");
        let settings = [
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", place.display().to_string()),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }

    /// The first user may do everything, and is the broker's own; the others have the rights that they are given.
    fn sasl(&self) -> Vec<(String, String)> {
        let Some((user, password)) = self.users.first() else {
            return Vec::new();
        };
        let mut jaas = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{user}\" \
             password=\"{password}\""
        );
        for (user, password) in &self.users {
            let _ = write!(jaas, " user_{user}=\"{password}\"");
        }
        let settings = [
            (
                "listener.name.sasl_plaintext.plain.sasl.jaas.config",
                format!("{jaas};"),
            ),
            ("sasl.enabled.mechanisms", "PLAIN".to_owned()),
            ("sasl.mechanism.inter.broker.protocol", "PLAIN".to_owned()),
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
            ),
            // The controller's listener knows nobody.
            ("super.users", format!("User:{user};User:ANONYMOUS")),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }
}
