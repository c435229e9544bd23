use std::time::Duration;

use async_trait::async_trait;

use super::{
    Exchange, Group, Heartbeat, Opened, Presence, Request, Session, Store, StoreError, Sweep, Swept,
};
use crate::protocol::WorkerId;

/// A store around another one. Implement it in place of [`Store`], with the methods that do something of their own: all
/// others are those of the [inner](WrapStore::inner) store, also such as [`Store`] gets in a later version.
///
/// ```
/// use std::time::Duration;
/// use ordered_core::store::{
///     Exchange, Group, MemoryStore, Request, Session, Store, StoreError, WrapStore,
/// };
///
/// /// A store that is far away.
/// struct Slow(MemoryStore);
///
/// #[async_trait::async_trait]
/// impl WrapStore for Slow {
///     type Inner = MemoryStore;
///
///     fn inner(&self) -> &MemoryStore {
///         &self.0
///     }
///
///     async fn exchange(
///         &self,
///         group: &Group,
///         session: &Session,
///         requests: &[Request],
///     ) -> Result<Exchange, StoreError> {
///         tokio::time::sleep(Duration::from_millis(40)).await;
///         self.0.exchange(group, session, requests).await
///     }
/// }
///
/// fn is_a_store(_: impl Store) {}
/// is_a_store(Slow(MemoryStore::new()));
/// ```
///
/// # Errors
/// Those of the methods of [`Store`].
#[async_trait]
pub trait WrapStore: Send + Sync + 'static {
    /// The store inside.
    type Inner: Store + ?Sized;

    /// The store inside.
    fn inner(&self) -> &Self::Inner;

    /// As [`Store::presence`].
    fn presence(&self) -> Option<&dyn Presence> {
        self.inner().presence()
    }

    /// As [`Store::open`].
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        self.inner().open(group, worker).await
    }

    /// As [`Store::exchange`].
    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        self.inner().exchange(group, session, requests).await
    }

    /// As [`Store::heartbeat`].
    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        self.inner().heartbeat(group, session, lease).await
    }

    /// As [`Store::leave`].
    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        self.inner().leave(group, session).await
    }

    /// As [`Store::sweep`].
    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        self.inner().sweep(group, session, sweep).await
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<W: WrapStore> Store for W {
    fn presence(&self) -> Option<&dyn Presence> {
        WrapStore::presence(self)
    }

    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        WrapStore::open(self, group, worker).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        WrapStore::exchange(self, group, session, requests).await
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        WrapStore::heartbeat(self, group, session, lease).await
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        WrapStore::leave(self, group, session).await
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        WrapStore::sweep(self, group, session, sweep).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, OtherConsumers, WorkerPresence};

    /// Knows of everybody who consumes.
    struct Knowing(MemoryStore);

    #[async_trait]
    impl Presence for Knowing {
        async fn note(&self, _: &Group, _: &WorkerPresence) -> Result<OtherConsumers, StoreError> {
            Ok(OtherConsumers::default())
        }
    }

    impl WrapStore for Knowing {
        type Inner = MemoryStore;

        fn inner(&self) -> &MemoryStore {
            &self.0
        }

        fn presence(&self) -> Option<&dyn Presence> {
            Some(self)
        }
    }

    struct Around<S>(S);

    impl<S: Store> WrapStore for Around<S> {
        type Inner = S;

        fn inner(&self) -> &S {
            &self.0
        }
    }

    #[test]
    fn what_a_store_can_do_is_not_lost_in_one_around_it() {
        let plain = Around(MemoryStore::new());
        assert!(Store::presence(&plain).is_none());
        let knowing = Around(Knowing(MemoryStore::new()));
        assert!(Store::presence(&knowing).is_some());
    }
}
