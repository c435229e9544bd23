//! `rediss://`: what encrypts, and whose certificates are trusted.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{Client, ConnectionInfo, ErrorKind, RedisError, RedisResult, TlsCertificates};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// rustls has one provider of cryptography for the whole process. Where the application has installed none, and what is
/// compiled in leaves the choice open (none or several), rustls panics; so one is installed here.
pub(crate) fn ensure_provider() {
    if CryptoProvider::get_default().is_none() {
        // Refused where someone was faster, and then theirs is used.
        let _ = ring::default_provider().install_default();
    }
}

/// Whether there is a certificate, and nothing that is none.
pub(crate) fn are_certificates(pem: &str) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.is_ok_and(|certificates| !certificates.is_empty())
}

/// The authorities, as PEM, in place of the system's.
pub(crate) fn trusting(authorities: Option<&str>) -> TlsCertificates {
    TlsCertificates {
        client_tls: None,
        root_cert: authorities.map(|pem| pem.as_bytes().to_vec()),
    }
}

pub(crate) fn client(node: ConnectionInfo, authorities: Option<&str>) -> RedisResult<Client> {
    ensure_provider();
    Client::build_with_tls(node, trusting(authorities))
}

/// What rustls has against the server, or against the certificates that are to be trusted, if that is why there is no
/// connection.
pub(crate) fn objection(error: &RedisError) -> Option<&dyn Error> {
    let cause = error.source()?;
    // The client shares its errors.
    let cause = match cause.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        Some(shared) => shared.as_ref(),
        None => cause,
    };
    match cause.downcast_ref::<io::Error>() {
        Some(io) => io
            .get_ref()?
            .downcast_ref::<rustls::Error>()
            .map(|error| error as _),
        // Certificates of the system that cannot be read, or a host that no certificate can be for.
        None => (error.kind() == ErrorKind::Io).then_some(cause),
    }
}
