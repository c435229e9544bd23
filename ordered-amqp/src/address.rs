use std::fmt;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use ordered_core::transport::TransportError;
use percent_encoding::percent_decode_str;

/// Seconds; RabbitMQ's documentation calls 5 to 20 the optimum: <https://www.rabbitmq.com/docs/heartbeats>.
const HEARTBEAT: u16 = 15;
/// A short string of AMQP.
const MAX_VHOST: usize = 255;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What the client reads of the query. It passes over what it does not know.
const CLIENT_PARAMETERS: [&str; 5] = [
    "heartbeat",
    "connection_timeout",
    "channel_max",
    "frame_max",
    "auth_mechanism",
];
const PARAMETERS: &str = "`partitions`, `key`, `heartbeat` (seconds), `connection_timeout` (milliseconds), \
                          `channel_max`, `frame_max` and `auth_mechanism`";

/// Where the broker is. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    uri: AMQPUri,
    own: OwnParameters,
}

/// The parameters of the query that are not the AMQP client's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnParameters {
    /// How many partitions the queue has.
    pub(crate) partitions: Option<u16>,
    /// By which header or field of its JSON an event is put into one.
    pub(crate) key: Option<String>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, TransportError> {
        let wrong = |reason: &str| {
            TransportError::fatal(format!(
                "the address of RabbitMQ cannot be used ({reason}); it has the form \
                 amqp://user:password@host:port/vhost, with the vhost `/` written %2f or left out"
            ))
        };
        check_form(text).map_err(wrong)?;
        let (text, own) = OwnParameters::take(text)?;
        let text = text.as_str();
        let mut uri: AMQPUri = text.parse().map_err(|reason: String| {
            // These repeat a part of the address.
            if reason.starts_with("Invalid") {
                wrong("it is no URL, or a parameter has a value that it cannot have")
            } else {
                wrong(&reason)
            }
        })?;
        if uri.vhost.len() > MAX_VHOST {
            return Err(wrong("the vhost is longer than 255 bytes"));
        }
        if let Some(host) = ipv6_host(text) {
            host.clone_into(&mut uri.authority.host);
        }
        if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "tls") {
            return Err(TransportError::fatal(
                "the address begins with amqps://, and TLS is not compiled in: \
                 turn on the feature `tls` of `ordered-amqp`",
            ));
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let timeout = u64::try_from(CONNECT_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        uri.query.connection_timeout.get_or_insert(timeout);
        Ok(Self { uri, own })
    }

    pub(crate) fn own(&self) -> &OwnParameters {
        &self.own
    }

    pub(crate) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }

    /// How long the whole of connecting may take.
    pub(crate) fn timeout(&self) -> Duration {
        let millis = self.uri.query.connection_timeout;
        millis.map_or(CONNECT_TIMEOUT, Duration::from_millis)
    }

    /// Host, port and vhost, whoever connects.
    pub(crate) fn place(&self) -> String {
        let authority = &self.uri.authority;
        format!(
            "amqp://{}:{}/{}",
            authority.host,
            authority.port,
            self.vhost()
        )
    }

    pub(crate) fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    pub(crate) fn vhost(&self) -> &str {
        &self.uri.vhost
    }
}

impl OwnParameters {
    /// The address without them, and what they say.
    fn take(text: &str) -> Result<(String, Self), TransportError> {
        let mut own = Self::default();
        let Some((before, query)) = text.split_once('?') else {
            return Ok((text.to_owned(), own));
        };
        let mut others = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "partitions" => own.partitions = Some(number(value)?),
                "key" => {
                    let key = percent_decode_str(value).decode_utf8();
                    own.key = Some(key.map_err(|_| no_text())?.into_owned());
                }
                _ if CLIENT_PARAMETERS.contains(&name) => others.push(pair),
                // Behind a last `&`.
                "" if value.is_empty() => {}
                _ => return Err(unknown(name)),
            }
        }
        let others = others.join("&");
        let text = if others.is_empty() {
            before.to_owned()
        } else {
            format!("{before}?{others}")
        };
        Ok((text, own))
    }
}

fn number(value: &str) -> Result<u16, TransportError> {
    value.parse().map_err(|_| {
        TransportError::fatal(format!(
            "the parameter `partitions` of the address of RabbitMQ is a whole number, and not {value:?}"
        ))
    })
}

fn unknown(name: &str) -> TransportError {
    // What stands where a name is expected may be a part of a secret.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_shown = name.len() <= 60 && name.bytes().all(is_name);
    let name = if is_shown { name } else { "…" };
    TransportError::fatal(format!(
        "the address of RabbitMQ has no parameter `{name}`, only {PARAMETERS}"
    ))
}

fn no_text() -> TransportError {
    TransportError::fatal("the parameter `key` of the address of RabbitMQ is not UTF-8")
}

/// Refuses what would be read as an address of another form than was meant, with a part of the password as the host,
/// the port or the vhost, which are shown.
fn check_form(text: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("it does not begin with amqp:// or amqps://");
    };
    if !["amqp", "amqps"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err("it does not begin with amqp:// or amqps://");
    }
    match rest.find(['/', '?', '#']) {
        Some(end) if rest[end..].contains('@') => Err(
            "there is a `/`, `?` or `#` before the `@`: in a user or a password they are written %2f, %3f and %23, and \
             an `@` anywhere else is written %40",
        ),
        _ => Ok(()),
    }
}

/// What stands in the brackets of `amqp://[::1]:5672`; the URI parser of lapin passes it over.
fn ipv6_host(text: &str) -> Option<&str> {
    let authority = text.split_once("://")?.1.split(['/', '?']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    host.strip_prefix('[')?
        .split_once(']')
        .map(|(host, _)| host)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri {
            scheme, authority, ..
        } = &self.uri;
        let (host, port) = (&authority.host, authority.port);
        let vhost = match self.vhost() {
            "/" => "%2f",
            vhost => vhost,
        };
        let user = self.user();
        if host.contains(':') {
            write!(f, "{scheme}://{user}:***@[{host}]:{port}/{vhost}")
        } else {
            write!(f, "{scheme}://{user}:***@{host}:{port}/{vhost}")
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let address = Address::parse("amqp://me:s3cret@broker:1234/orders").unwrap();
        assert_eq!(address.to_string(), "amqp://me:***@broker:1234/orders");
        assert!(!format!("{address:?}").contains("s3cret"));
    }

    #[test]
    fn an_address_without_a_vhost_means_the_default_one() {
        let vhost = |text| Address::parse(text).unwrap().vhost().to_owned();
        assert_eq!(vhost("amqp://me:s3cret@broker"), "/");
        assert_eq!(vhost("amqp://broker/%2f"), "/");
        assert_eq!(vhost("amqp://broker/"), "");
    }

    #[test]
    fn an_ipv6_address_is_kept() {
        let address = Address::parse("amqp://me:s3cret@[::1]:1234").unwrap();
        assert_eq!(address.to_string(), "amqp://me:***@[::1]:1234/%2f");
    }

    #[test]
    fn a_vhost_that_amqp_cannot_carry_is_refused() {
        let address = |length| Address::parse(&format!("amqp://b/{}", "v".repeat(length)));
        assert!(address(255).is_ok());
        let error = address(256).unwrap_err().to_string();
        assert!(error.contains("longer than 255 bytes"), "{error}");
    }

    #[test]
    fn partitions_and_their_key_come_from_the_query_and_the_rest_is_the_clients() {
        let address = Address::parse("amqp://b/v?partitions=8&heartbeat=7&key=order%5Fid").unwrap();
        assert_eq!(address.own().partitions, Some(8));
        assert_eq!(address.own().key.as_deref(), Some("order_id"));
        assert_eq!(address.uri().query.heartbeat, Some(7));
        let alone = Address::parse("amqp://b?partitions=2").unwrap();
        assert_eq!((alone.own().partitions, alone.vhost()), (Some(2), "/"));
        for (query, word) in [("partitions=many", "whole number"), ("key=%ff", "UTF-8")] {
            let error = Address::parse(&format!("amqp://b?{query}")).unwrap_err();
            assert!(error.to_string().contains(word), "{query}: {error}");
        }
    }

    #[test]
    fn a_parameter_that_is_unknown_is_named_with_those_that_are_known() {
        let error = |query: &str| {
            let address = Address::parse(&format!("amqp://b/v?heartbeat=7&{query}"));
            address.unwrap_err().to_string()
        };
        let said = error("partition=8");
        assert!(
            said.contains("no parameter `partition`, only `partitions`, `key`"),
            "{said}"
        );
        for name in CLIENT_PARAMETERS {
            assert!(said.contains(&format!("`{name}`")), "{name}: {said}");
        }
        assert!(error("verify=verify_peer").contains("`verify`"));
        assert!(error("Heartbeat=7").contains("`Heartbeat`"));
        assert!(error("=7").contains("``"));
        let said = error("s3cret%2F=1");
        assert!(!said.contains("s3cret"), "{said}");
        assert!(Address::parse("amqp://b/v?heartbeat=7&").is_ok());
        assert!(Address::parse("amqp://b/v?").is_ok());
    }

    #[test]
    fn settings_come_from_the_query() {
        let uri = |text| Address::parse(text).unwrap().uri().query;
        let given = uri("amqp://b?heartbeat=7&channel_max=9&connection_timeout=2000");
        assert_eq!(given.heartbeat, Some(7));
        assert_eq!(given.channel_max, Some(9));
        assert_eq!(given.connection_timeout, Some(2_000));
        assert_eq!(uri("amqp://b").heartbeat, Some(HEARTBEAT));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_the_password() {
        for text in [
            "me:s3cret@broker",
            "http://me:s3cret@broker",
            "amqp://b?heartbeat=s3cret",
            "amqp://b?auth_mechanism=s3cret",
            "amqp:/me:s3cret@broker",
            "amqp://me:5/s3cret@broker",
            "amqp://me:5?s3cret@broker",
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains("amqp://user:password@host"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
