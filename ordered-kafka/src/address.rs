use std::collections::BTreeMap;
use std::fmt;

use ordered_core::transport::TransportError;
use url::form_urlencoded;

use crate::properties;

const PARAMETERS: &str = "`group`, `security`, `mechanism`, `key`, `properties`, and every property of the client, \
                          whose names have a dot, such as `ssl.ca.location`";
const SECURITY: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// What a `kafka://` URL says.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Address {
    /// `host:port,host:port`.
    pub(crate) servers: String,
    pub(crate) group: Option<String>,
    /// Which header or field of its JSON is the record key of a published event.
    pub(crate) key: Option<String>,
    /// Properties of the client, by their names there. There may be secrets in them.
    pub(crate) properties: BTreeMap<String, String>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, TransportError> {
        // The text may have a secret in it, so no message quotes it.
        let wrong = |what: &str| {
            TransportError::fatal(format!(
                "this is not the URL of Kafka: {what}; one looks like \
                 `kafka://broker-1:9092,broker-2:9092?group=billing`"
            ))
        };
        let rest = text
            .strip_prefix("kafka://")
            .ok_or_else(|| wrong("it does not begin with `kafka://`"))?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') && !authority.contains('@') {
            return Err(wrong(
                "there is an `@` after the `?`: in a user or a password `?` is written %3f, and an `@` anywhere else \
                 %40",
            ));
        }
        let mut address = Self::default();
        let servers = match authority.rsplit_once('@') {
            Some((user, servers)) => {
                address.credentials(user).map_err(wrong)?;
                servers
            }
            None => authority,
        };
        let servers = servers.strip_suffix('/').unwrap_or(servers);
        check_servers(servers).map_err(wrong)?;
        servers.clone_into(&mut address.servers);
        let parameters = form_urlencoded::parse(query.as_bytes());
        for (name, value) in parameters {
            address.parameter(&name, &value)?;
        }
        address.settle_security();
        Ok(address)
    }

    fn credentials(&mut self, text: &str) -> Result<(), &'static str> {
        let (user, password) = text
            .split_once(':')
            .ok_or("it has a user and no password")?;
        if user.is_empty() {
            return Err("it has a password and no user");
        }
        self.set("sasl.username", decoded(user));
        self.set("sasl.password", decoded(password));
        Ok(())
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<(), TransportError> {
        let wrong = |what: String| TransportError::fatal(format!("the URL of Kafka: {what}"));
        if value.is_empty() {
            return Err(wrong(format!("`{}` has no value", shown(name))));
        }
        let place = match name {
            "group" => &mut self.group,
            "key" => &mut self.key,
            "security" => {
                let value = value.to_ascii_lowercase();
                if !SECURITY.contains(&value.as_str()) {
                    let known = SECURITY.join("`, `");
                    return Err(wrong(format!("`security` is one of `{known}`")));
                }
                self.set("security.protocol", value);
                return Ok(());
            }
            "mechanism" => {
                self.set("sasl.mechanism", value.to_owned());
                return Ok(());
            }
            "properties" => {
                for (name, value) in properties::read(value)? {
                    self.properties.entry(name).or_insert(value);
                }
                return Ok(());
            }
            _ if name.contains('.') => {
                properties::check(name)?;
                self.set(name, value.to_owned());
                return Ok(());
            }
            _ => {
                let name = shown(name);
                return Err(wrong(format!(
                    "it has no parameter `{name}`, only {PARAMETERS}"
                )));
            }
        };
        if place.replace(value.to_owned()).is_some() {
            return Err(wrong(format!("`{name}` must be given once")));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) {
        self.properties.insert(name.to_owned(), value);
    }

    /// Who gives a password wants it to be asked for, and nobody to read it on its way.
    fn settle_security(&mut self) {
        if !self.properties.contains_key("sasl.username") {
            return;
        }
        let names = ["sasl.mechanism", "sasl.mechanisms"];
        if !names.iter().any(|name| self.properties.contains_key(*name)) {
            self.set("sasl.mechanism", "PLAIN".to_owned());
        }
        if !self.properties.contains_key("security.protocol") {
            self.set("security.protocol", "sasl_ssl".to_owned());
        }
    }

    /// The URL without its secrets.
    pub(crate) fn shown(&self) -> String {
        match self.properties.get("sasl.username") {
            Some(user) => format!("kafka://{user}:***@{}", self.servers),
            None => format!("kafka://{}", self.servers),
        }
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.properties.get("sasl.username").map(String::as_str)
    }
}

/// What stands where a name is expected may be a part of a secret.
fn shown(name: &str) -> &str {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() <= 60 && name.bytes().all(is_name) {
        name
    } else {
        "…"
    }
}

fn check_servers(servers: &str) -> Result<(), &'static str> {
    for server in servers.split(',') {
        if server.contains('/') {
            return Err(
                "the topic is no part of it, and is given as the queue; in a user or a password `/` is written %2f",
            );
        }
        let (host, port) = match server.rsplit_once(':') {
            // An IPv6 address has colons of its own, within brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (server, None),
        };
        if host.is_empty() {
            return Err("a broker has no host");
        }
        let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"._-[]:".contains(&byte);
        if !host.bytes().all(of_host) {
            return Err("a broker's host has characters that none has");
        }
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err("a broker's port is no number from 1 to 65535");
        }
    }
    Ok(())
}

fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded = form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map_or_else(String::new, |(_, value)| value.into_owned())
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("servers", &self.servers)
            .field("group", &self.group)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(text: &str, name: &str) -> Option<String> {
        Address::parse(text).unwrap().properties.remove(name)
    }

    #[test]
    fn the_brokers_are_enough() {
        let address = Address::parse("kafka://broker-1:9092,[::1]:9093,10.0.0.1").unwrap();
        assert_eq!(address.servers, "broker-1:9092,[::1]:9093,10.0.0.1");
        assert!(address.properties.is_empty());
        assert_eq!((address.group, address.key), (None, None));
        let slash = Address::parse("kafka://b:1/").unwrap();
        assert_eq!(slash.shown(), "kafka://b:1");
    }

    #[test]
    fn everything_can_be_said() {
        let address = Address::parse(
            "kafka://me:a%2Fb+c%40d@b:9092?group=billing&security=SASL_PLAINTEXT&mechanism=SCRAM-SHA-512&key=order_id\
             &ssl.ca.location=%2Fetc%2Fca.pem",
        )
        .unwrap();
        assert_eq!(address.group.as_deref(), Some("billing"));
        assert_eq!(address.key.as_deref(), Some("order_id"));
        let expected = [
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.password", "a/b+c@d"),
            ("sasl.username", "me"),
            ("security.protocol", "sasl_plaintext"),
            ("ssl.ca.location", "/etc/ca.pem"),
        ];
        let properties = address.properties.iter();
        let properties: Vec<_> = properties.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(properties, expected);
        assert_eq!(address.shown(), "kafka://me:***@b:9092");
        assert!(!format!("{address:?}").contains("a/b"));
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear_unless_that_is_said() {
        let url = "kafka://me:secret@b";
        assert_eq!(
            property(url, "security.protocol").as_deref(),
            Some("sasl_ssl")
        );
        assert_eq!(property(url, "sasl.mechanism").as_deref(), Some("PLAIN"));
    }

    #[test]
    fn mistakes_are_named_without_the_secret() {
        for (url, word) in [
            ("amqp://me:SECRET@b", "`kafka://`"),
            ("kafka://me:SECRET@b/orders", "given as the queue"),
            ("kafka://SECRET@b", "no password"),
            ("kafka://:SECRET@b", "no user"),
            ("kafka://me:SECRET@", "no host"),
            ("kafka://me:SECRET@b:x", "port"),
            ("kafka://me:SECRET@b:0", "port"),
            ("kafka://me:SECRET@b,,c", "no host"),
            ("kafka://me:?SECRET@b", "%3f"),
            (
                "kafka://me:SECRET@b?gruop=x",
                "no parameter `gruop`, only `group`",
            ),
            ("kafka://b?group=", "`group` has no value"),
            ("kafka://b?group=a&group=b", "given once"),
            ("kafka://b?security=tls", "`sasl_ssl`"),
            (
                "kafka://b?enable.auto.commit=true",
                "is set by the transport",
            ),
            ("kafka://b?group.id=x", "`group`"),
            ("kafka://b?properties=/no/such/file", "/no/such/file"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
