//! A password that is changed while a worker is connected.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::credentials::Credentials;
use ordered_core::store::{Group, StoreError};
use ordered_core::store::{Session, Store, StoreErrorKind};
use ordered_redis::{RedisStore, RedisStoreBuilder};
use ordered_testkit::server::RedisServer;
use ordered_testkit::{eventually, unique};

use crate::support::*;

/// A user of a test's own, whose password the store asks for.
struct Setting {
    server: &'static RedisServer,
    user: String,
    password: Arc<Mutex<&'static str>>,
}

impl Setting {
    async fn new() -> Self {
        let server = RedisServer::shared().await.unwrap();
        let user = unique("user");
        let setting = Self {
            server,
            user,
            password: Arc::new(Mutex::new("old")),
        };
        setting.accept("old").await;
        setting
    }

    /// From now on this is the user's password. Its connections are closed.
    async fn accept(&self, password: &str) {
        let (user, mut raw) = (&self.user, raw(self.server).await);
        let set = format!("ACL SETUSER {user} on resetpass >{password} ~* +@all");
        let _: String = ask(&mut raw, &set).await;
        let _: u64 = ask(&mut raw, &format!("CLIENT KILL USER {user}")).await;
    }

    fn builder(&self) -> RedisStoreBuilder {
        let (user, password) = (self.user.clone(), Arc::clone(&self.password));
        RedisStore::builder(self.server.url()).credentials(move || {
            let credentials = Credentials::user(&user, *password.lock().unwrap());
            async move { Ok(credentials) }
        })
    }
}

async fn beat(store: &RedisStore, group: &Group, session: &Session) -> Result<(), StoreError> {
    store.heartbeat(group, session, LEASE).await.map(drop)
}

#[tokio::test]
async fn a_password_that_is_rotated_is_asked_for_at_the_next_connection() {
    let setting = Setting::new().await;
    let store = setting.builder().connect().await.unwrap();
    let group = group("rotated");
    let session = open(&store, &group, "w").await.unwrap().session;
    beat(&store, &group, &session).await.unwrap();
    setting.accept("new").await;
    eventually(
        "the login is refused, and that passes",
        async || match beat(&store, &group, &session).await {
            Ok(()) => panic!("the old password is taken"),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
                error
                    .to_string()
                    .contains("refuses the user or the password")
            }
        },
    )
    .await;
    *setting.password.lock().unwrap() = "new";
    eventually("it is let in", async || {
        beat(&store, &group, &session).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_login_that_stays_refused_is_an_error_that_ends_the_worker() {
    let setting = Setting::new().await;
    let builder = setting.builder().refused_for(Duration::from_millis(300));
    let store = builder.connect().await.unwrap();
    let group = group("refused");
    let session = open(&store, &group, "w").await.unwrap().session;
    setting.accept("new").await;
    eventually("the refusal is given up", async || {
        match beat(&store, &group, &session).await {
            Ok(()) => panic!("the old password is taken"),
            Err(error) => error.kind() == StoreErrorKind::Refused,
        }
    })
    .await;
}

#[tokio::test]
async fn a_login_that_is_refused_at_start_is_an_error_at_once() {
    let setting = Setting::new().await;
    *setting.password.lock().unwrap() = "wrong";
    let error = setting.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused, "{error}");
    let none = || async { Err("the vault is sealed".into()) };
    let builder = RedisStore::builder(setting.server.url()).credentials(none);
    let error = builder.connect().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the source of the credentials has none"),
        "{error}"
    );
}
