//! The certificate of the servers that listen for TLS.

/// The authority that signed it, as PEM: for a client that is to trust it.
pub const AUTHORITY: &str = include_str!("certificates/authority.pem");

macro_rules! file {
    ($name:literal) => {
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/server/certificates/",
            $name
        )
    };
}

/// Where that of the authority lies.
pub const AUTHORITY_FILE: &str = file!("authority.pem");
/// It is for 127.0.0.1 and localhost.
pub(super) const CERTIFICATE_FILE: &str = file!("server.pem");
pub(super) const KEY_FILE: &str = file!("server.key");

/// The same two, for servers that want them in one file.
pub(super) const SERVER: &str = include_str!("certificates/server.pem");
pub(super) const SERVER_KEY: &str = include_str!("certificates/server.key");
