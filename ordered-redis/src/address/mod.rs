//! Where to connect, as it is written in a URL.

mod sentinel;

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisResult};

pub(crate) use sentinel::Watched;

/// Where to connect.
pub(crate) struct Address {
    /// The server, the nodes of a cluster, or the Sentinels.
    pub(crate) nodes: Vec<ConnectionInfo>,
    /// The master that the Sentinels are asked for, if the nodes are Sentinels.
    pub(crate) watched: Option<Watched>,
    /// Hosts and ports, and the name of the master: what may be shown.
    pub(crate) shown: String,
    /// Whose certificates are trusted, as PEM; none for those that the system trusts.
    #[cfg(feature = "tls")]
    pub(crate) authorities: Option<String>,
}

impl Address {
    /// One URL, or several separated by commas.
    pub(crate) fn parse(urls: &str) -> RedisResult<Self> {
        if let Some(sentinels) = sentinel::parse(urls) {
            let (nodes, watched) = sentinels?;
            let shown = format!("{} (Sentinel at {})", watched.name, list(&nodes));
            return Ok(Self::new(nodes, Some(watched), shown));
        }
        let nodes = urls
            .split(',')
            .map(|url| {
                check_form(url)?;
                url.trim().into_connection_info()
            })
            .collect::<RedisResult<Vec<_>>>()?;
        let shown = list(&nodes);
        Ok(Self::new(nodes, None, shown))
    }

    fn new(nodes: Vec<ConnectionInfo>, watched: Option<Watched>, shown: String) -> Self {
        Self {
            nodes,
            watched,
            shown,
            #[cfg(feature = "tls")]
            authorities: None,
        }
    }

    pub(crate) fn has_tls(&self) -> bool {
        let is_tls = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
        self.nodes.iter().any(is_tls)
    }
}

fn list(nodes: &[ConnectionInfo]) -> String {
    let shown: Vec<String> = nodes.iter().map(|node| node.addr().to_string()).collect();
    shown.join(",")
}

/// Refuses what would be read with a part of the password as the host, the port or the database, which are shown.
fn check_form(url: &str) -> RedisResult<()> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(());
    };
    match rest.find(['/', '?', '#']) {
        Some(end) if !scheme.contains("unix") && rest[end..].contains('@') => Err(objection(
            "there is a `/`, `?` or `#` before the `@`: in a user or a password they are written %2F, %3F and %23",
        )),
        _ => Ok(()),
    }
}

fn objection(what: &'static str) -> redis::RedisError {
    (ErrorKind::InvalidClientConfig, "address", what.to_owned()).into()
}
