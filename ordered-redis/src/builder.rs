use std::time::Duration;

use ordered_core::credentials::{CredentialSource, SharedCredentials};
use ordered_core::internal::REFUSED_FOR;
use ordered_core::store::StoreError;
use redis::ErrorKind;

use crate::address::Address;
use crate::dial::Login;
use crate::error::store_error;
use crate::keyspace::Keyspace;
use crate::link::Link;
use crate::startup_retry::retry_while_starting;
use crate::store::RedisStore;

/// Settings of a [`RedisStore`].
#[derive(Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    url: String,
    prefix: String,
    /// The default of the kind of server if it is not said.
    buckets: Option<u32>,
    strict: bool,
    timeout: Duration,
    cluster: bool,
    credentials: Option<SharedCredentials>,
    refused_for: Duration,
    /// Whose certificates are trusted, as PEM.
    #[cfg(feature = "tls")]
    authorities: Option<String>,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "ordered".into(),
            buckets: None,
            strict: false,
            timeout: Duration::from_secs(5),
            cluster: false,
            credentials: None,
            refused_for: REFUSED_FOR,
            #[cfg(feature = "tls")]
            authorities: None,
        }
    }

    /// What every name in Redis begins with. Default `ordered`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Into how many buckets the keys of a group are spread. Default 1, and on a cluster 16.
    ///
    /// Each bucket that a batch touches costs one script call, so on one server more are only slower. On a cluster each
    /// lies on one node: there, a few for each node that is to take a share. It is recorded in Redis when a group is
    /// first opened; from then on a worker with another number is refused.
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.buckets = Some(buckets);
        self
    }

    fn bucket_count(&self) -> u32 {
        self.buckets.unwrap_or(if self.cluster {
            RedisStore::BUCKETS_ON_CLUSTER
        } else {
            RedisStore::BUCKETS
        })
    }

    /// Whether to refuse a server that may lose what it acknowledged. Default `false`: then it is only reported.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// How long to wait for a connection, and for an answer. Default 5 seconds.
    ///
    /// It should be well below the lease of the worker: a heartbeat that takes longer comes too late.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Who is asked for the password at each connection, and for the user where it says one, in place of those of the
    /// address: a closure `|| async { Ok(Credentials::password(…)) }`, or a
    /// [`PasswordFile`](ordered_core::credentials::PasswordFile). Not for a cluster.
    pub fn credentials(mut self, source: impl CredentialSource) -> Self {
        self.credentials = Some(SharedCredentials::new(source));
        self
    }

    /// How long Redis may refuse the login after it has let us in once: until then it is tried again, and beyond it the
    /// worker ends with the error. Default 5 minutes. A login that is refused at start is an error at once.
    pub fn refused_for(mut self, longest: Duration) -> Self {
        self.refused_for = longest;
        self
    }

    /// Whether the address is that of a Redis Cluster. It may then be several, separated by commas. Default `false`.
    #[cfg(feature = "cluster")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
    pub fn cluster(mut self, cluster: bool) -> Self {
        self.cluster = cluster;
        self
    }

    /// Certificates in PEM of the authorities that are trusted for `rediss://`, in place of those that the system
    /// trusts.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn ca_certificates(mut self, pem: impl Into<String>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    #[cfg(feature = "tls")]
    fn trusting(&self, mut address: Address) -> Result<Address, StoreError> {
        let Some(pem) = &self.authorities else {
            return Ok(address);
        };
        if !address.has_tls() {
            return Err(StoreError::refused(
                "`ca_certificates` is given, and nothing is encrypted: write the address of Redis as rediss://…, or \
                 leave them out",
            ));
        }
        if !crate::tls::are_certificates(pem) {
            return Err(StoreError::refused(
                "`ca_certificates` has no certificate in it, or what is none: give the PEM itself (-----BEGIN \
                 CERTIFICATE-----), not its path",
            ));
        }
        address.authorities = Some(pem.clone());
        Ok(address)
    }

    /// Connects. While Sentinels name no server that takes writes, because one is just failing over, it waits for up to
    /// 15 seconds.
    ///
    /// # Errors
    /// When a setting or the address is wrong, or the server cannot be reached or refuses the user; the message says
    /// which, and never the password.
    pub async fn connect(self) -> Result<RedisStore, StoreError> {
        let (link, address, buckets) = self.reach().await?;
        Ok(RedisStore::new(
            link,
            address,
            Keyspace::new(&self.prefix),
            buckets,
            self.strict,
        ))
    }

    /// The connection, the address without what must not be shown, and the number of buckets.
    async fn reach(&self) -> Result<(Link, String, u32), StoreError> {
        let buckets = self.bucket_count();
        if !(1..=4096).contains(&buckets) {
            return Err(StoreError::refused(format!(
                "`buckets` is {buckets}, and must be from 1 to 4096; 1 is right on one server"
            )));
        }
        if self.timeout.is_zero() {
            return Err(StoreError::refused(
                "`timeout` is zero: nothing would ever answer in time",
            ));
        }
        let address = Address::parse(&self.url).map_err(|error| {
            StoreError::refused(format!(
                "the address of Redis cannot be used ({}): write it as redis://[user:password@]host[:port][/database], \
                 rediss://… for TLS (feature `tls`), redis+unix:///path/of/socket, or \
                 redis+sentinel://[user:password@]host:port,host:port/master[/database]",
                error.detail().map_or_else(|| error.to_string(), str::to_owned),
            ))
        })?;
        #[cfg(feature = "tls")]
        let address = self.trusting(address)?;
        if address.watched.is_some() && self.cluster {
            return Err(StoreError::refused(
                "the address is one of Sentinels, and `.cluster(true)` is said: a cluster has none, so give the \
                 addresses of its nodes, or leave out `.cluster(true)`",
            ));
        }
        if self.cluster && self.credentials.is_some() {
            return Err(StoreError::refused(
                "`.credentials(…)` is given, and `.cluster(true)` is said: the connections to a cluster take the \
                 password of the address only",
            ));
        }
        if address.nodes.len() > 1 && address.watched.is_none() && !self.cluster {
            return Err(StoreError::refused(
                "several addresses of Redis, and it is not said to be a cluster: \
                 give one, or say `.cluster(true)` (feature `cluster`), or redis+sentinel:// if they are Sentinels",
            ));
        }
        let link = retry_while_starting(|| self.link(&address)).await?;
        Ok((link, address.shown, buckets))
    }

    async fn link(&self, address: &Address) -> Result<Link, StoreError> {
        self.connected(address).await.map_err(|error| {
            let at = &address.shown;
            #[cfg(feature = "tls")]
            if let Some(objection) = crate::tls::objection(&error) {
                return StoreError::refused(format!(
                    "Redis at {at} cannot be talked to over TLS ({objection}): the authority behind its certificate \
                     must be one that the system trusts, or given with `.ca_certificates(…)` or SSL_CERT_FILE"
                ))
                .with_source(error);
            }
            if error.kind() == ErrorKind::Io {
                let and_tls = if address.has_tls() { " Does it speak TLS there?" } else { "" };
                StoreError::unavailable(format!(
                    "Redis at {at} cannot be reached: is it running, and is this its address?{and_tls}"
                ))
                .with_source(error)
            } else {
                store_error(at, error)
            }
        })
    }

    async fn connected(&self, address: &Address) -> redis::RedisResult<Link> {
        #[cfg(feature = "cluster")]
        if self.cluster {
            return Link::cluster(address, self.timeout).await;
        }
        let login = Login {
            credentials: self.credentials.clone(),
            refused_for: self.refused_for,
        };
        Link::single(address, self.timeout, login).await
    }
}

/// Without the address, which may have a password in it.
impl std::fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("buckets", &self.bucket_count())
            .field("strict", &self.strict)
            .field("timeout", &self.timeout)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}
