//! Passwords that change: asked for anew at each connection to a store or a broker.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

/// How long a login may be refused before a worker ends with that error, where nothing else is set: long enough for a
/// new password to arrive everywhere.
#[doc(hidden)]
pub const REFUSED_FOR: Duration = Duration::from_secs(5 * 60);

/// A user and a password. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: String,
}

impl Credentials {
    /// A password, for the user of the address.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            user: None,
            password: password.into(),
        }
    }

    /// A user and a password, in place of those of the address.
    pub fn user(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            password: password.into(),
        }
    }

    /// The user; the address's where there is none.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why there are no credentials. It must not say a password: it is logged.
pub type CredentialError = Box<dyn Error + Send + Sync>;

/// Is asked for credentials at each connection. Implemented for closures that return a future.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no credentials",
    note = "use a closure that returns a future of `Credentials`, a `PasswordFile`, or implement \
            `ordered_core::credentials::CredentialSource`"
)]
pub trait CredentialSource: Send + Sync + 'static {
    /// The credentials of now.
    ///
    /// # Errors
    /// When there are none at the moment. The connection then fails, and is tried again.
    async fn credentials(&self) -> Result<Credentials, CredentialError>;
}

#[async_trait]
impl<F, A> CredentialSource for F
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Credentials, CredentialError>> + Send + 'static,
{
    async fn credentials(&self) -> Result<Credentials, CredentialError> {
        self().await
    }
}

/// A file with the password, as an orchestrator mounts a secret. It is read at each connection; line breaks at its end
/// are no part of the password.
#[derive(Debug, Clone)]
pub struct PasswordFile(PathBuf);

impl PasswordFile {
    /// The file at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

#[async_trait]
impl CredentialSource for PasswordFile {
    async fn credentials(&self) -> Result<Credentials, CredentialError> {
        // A secret is small, and lies in memory.
        let text = std::fs::read_to_string(&self.0)
            .map_err(|error| format!("the password file {}: {error}", self.0.display()))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(format!("the password file {} is empty", self.0.display()).into());
        }
        Ok(Credentials::password(password))
    }
}

/// A source that is shared, for settings.
#[derive(Clone)]
pub struct SharedCredentials(Arc<dyn CredentialSource>);

impl SharedCredentials {
    /// Takes the source.
    pub fn new(source: impl CredentialSource) -> Self {
        Self(Arc::new(source))
    }

    /// The credentials of now.
    ///
    /// # Errors
    /// As [`CredentialSource::credentials`].
    pub async fn get(&self) -> Result<Credentials, CredentialError> {
        self.0.credentials().await
    }
}

impl fmt::Debug for SharedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCredentials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Credentials::user("me", "s3cret"));
        assert!(shown.contains("me") && !shown.contains("s3cret"), "{shown}");
    }

    #[tokio::test]
    async fn a_file_is_read_each_time_without_its_line_break() {
        let path = std::env::temp_dir().join(format!("ordered-password-{}", fastrand::u64(..)));
        let file = PasswordFile::new(&path);
        let missing = file.credentials().await.unwrap_err().to_string();
        assert!(missing.contains("the password file"), "{missing}");
        for (text, password) in [("one\n", "one"), ("two", "two"), ("t h\r\n\n", "t h")] {
            std::fs::write(&path, text).unwrap();
            let credentials = file.credentials().await.unwrap();
            assert_eq!(credentials.secret(), password);
        }
        std::fs::write(&path, "\n").unwrap();
        let empty = file.credentials().await.unwrap_err().to_string();
        assert!(empty.ends_with("is empty"), "{empty}");
        std::fs::remove_file(&path).unwrap();
    }
}
