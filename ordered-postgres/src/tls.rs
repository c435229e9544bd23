//! What the address says about encryption: `sslmode` and `sslrootcert`.
//!
//! Where TLS is asked for, the server's certificate and its name are always checked, also with `require`, which the
//! programs of Postgres understand as "encrypted by whomever". Without `sslmode`, and with `prefer` and `allow`,
//! connections are not encrypted: most servers of Debian offer TLS with a certificate that nobody signed.

use std::borrow::Cow;

use tokio_postgres::config::SslMode;

use crate::error::{PostgresError, PostgresErrorKind};

#[derive(Clone)]
pub(crate) enum Encryption {
    None,
    #[cfg(feature = "tls")]
    Tls(tokio_postgres_rustls::MakeRustlsConnect),
}

impl Encryption {
    pub(crate) fn mode(&self) -> SslMode {
        match self {
            Self::None => SslMode::Disable,
            #[cfg(feature = "tls")]
            Self::Tls(_) => SslMode::Require,
        }
    }
}

/// The address without what it says about encryption, and what that is.
pub(crate) fn split(url: &str) -> Result<(Cow<'_, str>, Encryption), PostgresError> {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let (mut mode, mut authorities) = (None, None);
    let mut rest: Cow<'_, str> = Cow::Borrowed(url);
    if is_url && let Some((place, query)) = url.split_once('?') {
        let mut others = Vec::new();
        for setting in query.split('&') {
            match setting.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => authorities = Some(decoded(value)?),
                _ => others.push(setting),
            }
        }
        rest = match others.is_empty() {
            true => Cow::Owned(place.to_owned()),
            false => Cow::Owned(format!("{place}?{}", others.join("&"))),
        };
    } else if !is_url {
        let mut others = Vec::new();
        for setting in url.split_whitespace() {
            match setting.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => authorities = Some(value.to_owned()),
                _ => others.push(setting),
            }
        }
        // What has spaces in its values is left as it is where nothing has to be taken out.
        if mode.is_some() || authorities.is_some() {
            rest = Cow::Owned(others.join(" "));
        }
    }
    let encrypted = match mode.as_deref() {
        None | Some("disable" | "allow" | "prefer") => false,
        Some("require" | "verify-ca" | "verify-full") => true,
        Some(other) => {
            return Err(invalid(format!(
                "`sslmode` is {other:?}, and may be `disable` or, for TLS, `require` or `verify-full`"
            )));
        }
    };
    if !encrypted {
        return Ok((rest, Encryption::None));
    }
    Ok((rest, encryption(authorities.as_deref())?))
}

fn decoded(value: &str) -> Result<String, PostgresError> {
    let decoded = percent_encoding::percent_decode_str(value).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|_| invalid("`sslrootcert` is no text"))
}

#[cfg(not(feature = "tls"))]
fn encryption(_: Option<&str>) -> Result<Encryption, PostgresError> {
    Err(invalid(
        "the address asks for TLS (`sslmode`), and this program is built without it: turn the feature `tls` on",
    ))
}

#[cfg(feature = "tls")]
fn encryption(authorities: Option<&str>) -> Result<Encryption, PostgresError> {
    use std::sync::Arc;

    use rustls::crypto::ring;
    use rustls::{ClientConfig, RootCertStore};

    let mut trusted = RootCertStore::empty();
    match authorities {
        Some(path) => add_file(&mut trusted, path)?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = trusted.add_parsable_certificates(found.certs);
            if added == 0 {
                let why = found
                    .errors
                    .first()
                    .map_or_else(String::new, |error| format!(": {error}"));
                return Err(invalid(format!(
                    "the system has no certificates of authorities{why}: install `ca-certificates`, set SSL_CERT_FILE, \
                     or name a file with `sslrootcert=`"
                )));
            }
        }
    }
    // The application may have no provider of cryptography, or another one.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(error.to_string()))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(Encryption::Tls(
        tokio_postgres_rustls::MakeRustlsConnect::new(config),
    ))
}

#[cfg(feature = "tls")]
fn add_file(trusted: &mut rustls::RootCertStore, path: &str) -> Result<(), PostgresError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let wrong = |why: String| {
        invalid(format!(
            "`sslrootcert` names {path}, which has no certificates of authorities in PEM: {why}"
        ))
    };
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut added = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        trusted
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(wrong("it is empty".into()));
    }
    Ok(())
}

fn invalid(text: impl Into<String>) -> PostgresError {
    PostgresError::new(PostgresErrorKind::Invalid, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_about_encryption_is_taken_out_of_the_address() {
        for (given, left) in [
            ("postgres://a@b/c", "postgres://a@b/c"),
            ("postgres://a@b/c?sslmode=disable", "postgres://a@b/c"),
            (
                "postgres://a@b/c?options=-cx%3Dy&sslmode=prefer&application_name=z",
                "postgres://a@b/c?options=-cx%3Dy&application_name=z",
            ),
            ("host=a user=b sslmode=disable", "host=a user=b"),
            ("host=a options='-c x=y'", "host=a options='-c x=y'"),
        ] {
            let (rest, encryption) = split(given).unwrap();
            assert_eq!(rest, left);
            assert!(matches!(encryption.mode(), SslMode::Disable), "{given}");
        }
    }

    #[test]
    fn a_mode_that_is_none_is_refused_in_words() {
        let error = split("postgres://a@b/c?sslmode=yes").err().unwrap();
        assert!(error.to_string().contains("`require`"), "{error}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_the_feature_nothing_goes_out_in_the_open() {
        let error = split("postgres://a@b/c?sslmode=require").err().unwrap();
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_file_without_certificates_is_refused_in_words() {
        for path in ["/nowhere/at%20all", "/dev/null"] {
            let url = format!("postgres://a@b/c?sslmode=require&sslrootcert={path}");
            let error = split(&url).err().unwrap().to_string();
            assert!(error.contains("`sslrootcert` names /"), "{error}");
            assert!(!error.contains("%20"), "{error}");
        }
    }
}
