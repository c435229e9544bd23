use std::collections::BTreeMap;
use std::sync::Arc;

use ordered_core::admin::{Admin, KeyFilter};
use ordered_core::event::Key;
use ordered_core::internal::readable::printable;
use ordered_core::protocol::KeyView;
use ordered_core::store::Group;
use ordered_redis::RedisStore;

use crate::args::Target;
use crate::failure::Failure;

/// A store, and which group of it.
pub(crate) struct Session {
    pub(crate) admin: Admin,
    pub(crate) store: RedisStore,
    pub(crate) named: Option<String>,
    prefix: String,
}

impl Session {
    pub(crate) async fn connect(target: &Target) -> Result<Self, Failure> {
        let usage = |text: String| Err(Failure::Usage(text));
        let Some(url) = &target.store else {
            return usage(
                "which store? Give it with --store redis://host:6379, or set ORDERED_STORE".into(),
            );
        };
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" | "redis+unix" | "unix" => {}
            "memory" => {
                return usage(
                    "a memory:// store lives in the process of its workers, and cannot be looked at from another: use \
                     a store that they share, such as redis://"
                        .into(),
                );
            }
            // An address without a scheme may be a password: it is not repeated.
            "" => return usage("the store is a URL, such as redis://host:6379".into()),
            scheme => {
                return usage(format!(
                    "there is no store for `{scheme}://`; there are: redis://, rediss://, redis+unix://, \
                     redis+sentinel://, rediss+sentinel://"
                ));
            }
        }
        let builder = RedisStore::builder(url)
            .prefix(&target.prefix)
            .timeout(target.timeout);
        #[cfg(feature = "cluster")]
        let builder = builder.cluster(target.cluster);
        let store = builder.connect().await?;
        Ok(Self {
            admin: Admin::new(Arc::new(store.clone())),
            store,
            named: target.group.clone(),
            prefix: target.prefix.clone(),
        })
    }

    /// The group that is meant.
    pub(crate) async fn group(&self) -> Result<Group, Failure> {
        if let Some(name) = &self.named {
            return match self.admin.group(name).await? {
                Some(group) => Ok(group),
                None => Err(self.no_such_group(name).await?),
            };
        }
        let groups = self.admin.groups().await?;
        let name = match &groups[..] {
            [] => return Err(self.no_group()),
            [one] => one,
            several => {
                return Err(Failure::Usage(format!(
                    "which group? There are: {}. Give one with --group, or set ORDERED_GROUP",
                    listed(several)
                )));
            }
        };
        match self.admin.group(name).await? {
            Some(group) => Ok(group),
            None => Err(self.no_group()),
        }
    }

    pub(crate) fn no_group(&self) -> Failure {
        Failure::refused(format!(
            "no worker has ever opened a group in this store under the prefix `{}`: is this the store, and the \
             --prefix, of the workers?",
            printable(&self.prefix)
        ))
    }

    async fn no_such_group(&self, name: &str) -> Result<Failure, Failure> {
        let groups = self.admin.groups().await?;
        if groups.is_empty() {
            return Ok(self.no_group());
        }
        Ok(Failure::refused(format!(
            "there is no group `{}` in this store; there are: {}",
            printable(name),
            listed(&groups)
        )))
    }

    /// What is known of a key.
    pub(crate) async fn known(&self, group: &Group, key: &Key) -> Result<KeyView, Failure> {
        let view = self.admin.inspect(group, key).await?;
        view.ok_or_else(|| unknown(group, key))
    }

    /// The keys that the filter lets through, sorted; stops soon after there are `limit` of them.
    pub(crate) async fn keys(
        &self,
        group: &Group,
        filter: KeyFilter,
        limit: usize,
    ) -> Result<Vec<KeyView>, Failure> {
        // A key that changes meanwhile may be on two pages.
        let (mut keys, mut cursor) = (BTreeMap::new(), None);
        loop {
            let page = self.admin.keys(group, filter, cursor).await?;
            keys.extend(page.keys.into_iter().map(|view| (view.key.clone(), view)));
            cursor = page.cursor;
            if cursor.is_none() || keys.len() > limit {
                return Ok(keys.into_values().collect());
            }
        }
    }
}

pub(crate) fn unknown(group: &Group, key: &Key) -> Failure {
    Failure::refused(format!(
        "{} is not known to the group `{}`: `ordered keys` lists those that are",
        printable(key.as_str()),
        printable(group.name())
    ))
}

fn listed(groups: &[String]) -> String {
    let names: Vec<String> = groups.iter().map(|name| printable(name)).collect();
    names.join(", ")
}
