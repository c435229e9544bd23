//! `redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/database]`.
//!
//! The user and the password are those of the master. Those of the Sentinels, if they ask for any, are the parameters
//! `sentinel_username` and `sentinel_password`.

use redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult};

use super::objection;

const PORT: &str = "26379";

/// A master that Sentinels watch.
#[derive(Clone)]
pub(crate) struct Watched {
    /// By which the Sentinels know it.
    pub(crate) name: String,
    /// The user, the password and the database of the master, wherever it is.
    pub(crate) login: RedisConnectionInfo,
}

/// The Sentinels, and what they watch; nothing if the URL is of another scheme.
pub(super) fn parse(url: &str) -> Option<RedisResult<(Vec<ConnectionInfo>, Watched)>> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let plain = match scheme {
        "redis+sentinel" => "redis",
        "rediss+sentinel" => "rediss",
        _ => return None,
    };
    Some(read(plain, rest))
}

fn read(scheme: &str, rest: &str) -> RedisResult<(Vec<ConnectionInfo>, Watched)> {
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // What follows the hosts is shown, so it must not be the end of a password.
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    if path.contains('@') || rest.contains('#') || parameters.contains(['/', '?']) {
        return Err(objection(
            "there is a `/`, `?` or `#` where none can be: in a user or a password they are written %2F, %3F and %23",
        ));
    }
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), authority),
    };
    let (name, database) = path.split_once('/').unwrap_or((path, ""));
    if !is_name(name) {
        return Err(objection(
            "it does not name the master as the Sentinels do (letters, digits, `.`, `-` and `_`), as in \
             redis+sentinel://host:26379,host:26379/mymaster",
        ));
    }
    let of_sentinels = login_of_sentinels(parameters)?;
    let sentinels = hosts
        .split(',')
        .map(|host| {
            let host = with_port(host.trim());
            format!("{scheme}://{of_sentinels}{host}").into_connection_info()
        })
        .collect::<RedisResult<Vec<_>>>()?;
    // The host is another one each time, and only the login is taken from this.
    let master = format!("{scheme}://{login}master/{database}").into_connection_info()?;
    let watched = Watched {
        name: name.to_owned(),
        login: master.redis_settings().clone(),
    };
    Ok((sentinels, watched))
}

/// What Sentinel itself accepts as a name.
fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.bytes().all(is_of_name)
}

fn with_port(host: &str) -> String {
    let after_brackets = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    if host.is_empty() || after_brackets.contains(':') {
        return host.to_owned();
    }
    format!("{host}:{PORT}")
}

/// `user:password@` from the parameters, still encoded as in any URL.
fn login_of_sentinels(parameters: &str) -> RedisResult<String> {
    let (mut user, mut password) = ("", "");
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        match parameter.split_once('=') {
            Some(("sentinel_username", value)) => user = value,
            Some(("sentinel_password", value)) => password = value,
            // It is not quoted: it may be a part of a password.
            _ => {
                return Err(objection(
                    "it has a parameter other than `sentinel_username` and `sentinel_password`",
                ));
            }
        }
    }
    if user.contains(':') {
        return Err(objection(
            "there is a `:` in `sentinel_username`: it is written %3A",
        ));
    }
    Ok(match (user, password) {
        ("", "") => String::new(),
        (_, "") => {
            return Err(objection(
                "there is a `sentinel_username` and no `sentinel_password`",
            ));
        }
        (user, password) => format!("{user}:{password}@"),
    })
}

#[cfg(test)]
mod tests {
    use crate::address::Address;

    #[test]
    fn an_address_of_sentinels_is_read_with_both_logins() {
        let address = Address::parse(
            "redis+sentinel://app:p%40ss@a:1,b, [::1]:3/my-master/4?sentinel_username=s&sentinel_password=w%2Fo%26rd",
        )
        .unwrap();
        let shown = "my-master (Sentinel at a:1,b:26379,::1:3)";
        assert_eq!(address.shown, shown);
        let watched = address.watched.unwrap();
        assert_eq!(watched.name, "my-master");
        assert_eq!(watched.login.username(), Some("app"));
        assert_eq!(watched.login.password(), Some("p@ss"));
        assert_eq!(watched.login.db(), 4);
        for node in &address.nodes {
            assert_eq!(node.redis_settings().username(), Some("s"));
            assert_eq!(node.redis_settings().password(), Some("w/o&rd"));
            assert_eq!(node.redis_settings().db(), 0);
        }
    }

    #[test]
    fn the_master_and_the_sentinels_each_have_their_own_login() {
        let address = Address::parse("redis+sentinel://:hunter2@a/m").unwrap();
        assert_eq!(address.nodes[0].redis_settings().password(), None);
        let address = Address::parse("redis+sentinel://a/m?sentinel_password=x").unwrap();
        assert_eq!(address.watched.unwrap().login.password(), None);
        assert_eq!(address.nodes[0].redis_settings().username(), None);
    }

    #[test]
    fn an_address_of_sentinels_that_is_none_is_refused_and_not_shown() {
        for address in [
            "redis+sentinel://:hunter2@a",
            "redis+sentinel://:hunter2@a/",
            "redis+sentinel://:hunter2@a/m/x",
            "redis+sentinel://:hunter2@/m",
            "redis+sentinel://:hunter2@a,,b/m",
            "redis+sentinel://:hunter2@a:port/m",
            "redis+sentinel://:hunt/er2@a/m",
            "redis+sentinel://:hunt?er2@a/m",
            "redis+sentinel://:hunt#er2@a/m",
            "redis+sentinel://:hunter2%ff@a/m",
            "redis+sentinel://:x,hunter2@a,b",
            "redis+sentinel://:hunter2@a:99999/m",
            "redis+sentinel://:hunter2@a/m?protocol=hunter2",
            "redis+sentinel:/:hunter2@a/m",
            "me:hunter2@redis+sentinel://a/m",
            "redis+sentinel://a/m?hunter2",
            "redis+sentinel://a/m?sentinel_password=hunt/er2",
            "redis+sentinel://a/m?sentinel_username=hunter2",
            "redis+sentinel://a/m?sentinel_username=u:hunter2&sentinel_password=x",
        ] {
            let error = Address::parse(address).err().expect(address);
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunt"), "{text}");
            assert!(!text.contains("er2"), "{text}");
        }
    }
}
