//! Whatever prefixes, groups, keys, ids and workers are called: what is written stays where it belongs.

use std::collections::BTreeSet;

use hostile_input::TEXTS;
use ordered_core::protocol::Policy;
use ordered_core::store::Group;
use ordered_core::store::{Inspect, ListingChange, Save};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;

use crate::support::*;

/// As the README lists them, but for mailboxes and parts.
const OF_A_BUCKET: [&str; 8] = ["K", "O", "W", "M", "due", "gap", "halted", "log"];

/// What stands behind the hash tag.
fn structure(name: &str) -> Option<&str> {
    let (_, rest) = name.strip_prefix('{')?.split_once("}:")?;
    Some(rest)
}

#[tokio::test]
async fn everything_in_redis_has_a_name_of_the_layout_and_no_two_groups_share_one() {
    let server = RedisServer::start().await.unwrap();
    let texts: Vec<&str> = TEXTS.into_iter().filter(|text| text.len() < 200).collect();
    for text in &texts {
        let builder = RedisStore::builder(server.url()).prefix("a").buckets(2);
        let store = builder.connect().await.unwrap();
        let group = Group::new(text, Policy::default());
        let worker = Worker::open(&store, &group, text).await;
        let owned = worker.acquire(text).await;
        let listing = ListingChange {
            due: Some(Some(1)),
            gap: Some(Some(1)),
            halted: Some(Some(1)),
        };
        let held = Save {
            changes: vec![put(1, letter(text, text))],
            remember: vec![id(text)],
            body: Some(text.as_bytes().to_vec().into()),
            listing,
            ..save(text, owned.fence)
        };
        worker.save(held).await;
    }
    let mut admin = raw(&server).await;
    let names: Vec<String> = ask(&mut admin, "KEYS *").await;
    let keys: BTreeSet<String> = texts.iter().map(|text| format!("B:{text}")).collect();
    for name in &names {
        let is_known = match structure(name) {
            Some(structure) => {
                let is_part = structure.starts_with("I:1:");
                is_part || OF_A_BUCKET.contains(&structure) || keys.contains(structure)
            }
            None => {
                let of_a_group = name.ends_with(":meta") || name.ends_with(":workers");
                name == "a:groups" || of_a_group && name.matches(':').count() == 2
            }
        };
        assert!(is_known, "{name:?}");
    }
    // Each group by itself: what the others did is not seen in it.
    let builder = RedisStore::builder(server.url()).prefix("a").buckets(2);
    let store = builder.connect().await.unwrap();
    for text in &texts {
        let group = Group::new(text, Policy::default());
        let totals = store.totals(&group).await.unwrap();
        assert_eq!(
            (totals.keys, totals.held_events, totals.gaps),
            (1, 1, 1),
            "{text:?}"
        );
        let record = store.read(&group, &key(text)).await.unwrap().unwrap();
        assert_eq!(record.body.as_deref(), Some(text.as_bytes()));
        let workers = store.workers(&group).await.unwrap();
        assert_eq!(workers.len(), 1);
        assert_eq!(
            (workers[0].worker.as_str(), workers[0].alive),
            (*text, true)
        );
        assert!(!workers[0].version.is_empty());
    }
    let mut groups: Vec<&str> = texts.clone();
    groups.sort_unstable();
    groups.dedup();
    assert_eq!(store.groups().await.unwrap(), groups);
}
