//! Many ids: the index of what is remembered grows, is parted, and still finds each of them.

use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::event::{EventId, Seq};
use ordered_core::protocol::{Action, Command, Event, Fence, Policy, Verdict};
use ordered_core::store::Group;
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::unique;

use crate::talk::{apply, ask, key, raw};

const KEYS: u64 = 100;
const START: u64 = 4_102_444_800_000;
const TTL: u64 = 1_000_000;

fn event(seq: u64, id: &str) -> Event {
    Event {
        seq: Seq::new(seq).unwrap(),
        id: EventId::new(id).unwrap(),
        epoch: None,
    }
}

fn uuid(number: u64, seq: u64) -> String {
    format!("{number:08x}-0000-4000-8000-{seq:012x}")
}

fn offer(number: u64, seq: u64, id: &str) -> Command {
    Command {
        key: key(&format!("k{number}")),
        action: Action::Offer(event(seq, id)),
    }
}

fn commit(number: u64, seq: u64, id: &str, fence: u64) -> Command {
    let (event, fence) = (event(seq, id), Fence(fence));
    let have = seq;
    Command {
        key: key(&format!("k{number}")),
        action: Action::Commit { event, fence, have },
    }
}

struct Scene {
    store: RedisStore,
    group: Group,
    clock: Clock,
}

impl Scene {
    async fn new(server: &RedisServer) -> Self {
        let store = RedisStore::builder(server.url()).buckets(1).connect();
        let clock = Clock::manual(START - START % (3 * TTL / 2));
        let mut policy = Policy::default();
        policy.dedup_ttl = Duration::from_millis(TTL);
        Self {
            store: store.await.unwrap().with_clock(clock.clone()),
            group: Group::new(unique("many"), policy),
            clock,
        }
    }

    async fn say(&self, commands: &[Command]) -> Vec<Verdict> {
        apply(&self.store, &self.group, commands).await.unwrap()
    }

    /// Every key goes on by this seq.
    async fn round(&self, seq: u64) {
        let ids: Vec<String> = (0..KEYS).map(|number| uuid(number, seq)).collect();
        let offers: Vec<Command> = (0..KEYS)
            .zip(&ids)
            .map(|(number, id)| offer(number, seq, id))
            .collect();
        let told = self.say(&offers).await;
        assert!(
            told.iter()
                .all(|verdict| matches!(verdict, Verdict::Run(grant) if !grant.repeat)),
            "{seq}"
        );
        let commits: Vec<Command> = (0..KEYS)
            .zip(&ids)
            .map(|(number, id)| commit(number, seq, id, seq))
            .collect();
        let told = self.say(&commits).await;
        assert!(
            told.iter()
                .all(|verdict| matches!(verdict, Verdict::Committed { .. })),
            "{seq}"
        );
    }

    /// What is said to the events with these seqs, and to others under the same seqs.
    async fn expect(&self, seqs: impl Iterator<Item = u64>, is_known: bool) {
        for seq in seqs {
            let mut asked = Vec::new();
            for number in 0..KEYS {
                asked.push(offer(number, seq, &uuid(number, seq)));
                asked.push(offer(number, seq, &uuid(number + KEYS, seq)));
            }
            for (place, verdict) in self.say(&asked).await.into_iter().enumerate() {
                let expected = match (is_known, place % 2) {
                    (false, _) => Verdict::Stale,
                    (true, 0) => Verdict::Duplicate,
                    (true, _) => Verdict::Conflict {
                        recorded: EventId::new(uuid(place as u64 / 2, seq)).unwrap(),
                    },
                };
                assert_eq!(verdict, expected, "seq {seq}, {place}");
            }
        }
    }
}

#[tokio::test]
async fn every_id_is_found_again_however_many_there_are_and_as_long_as_it_should_be() {
    let server = RedisServer::shared().await.unwrap();
    let scene = Scene::new(server).await;
    // Six thousand in one turn of the ring part the index by more than one bit.
    for seq in 1..=60 {
        scene.round(seq).await;
    }
    scene.expect(1..=60, true).await;
    // Over the border in the middle of a chunk, and on into the third turn.
    scene.clock.advance(TTL / 2);
    for seq in 61..=110 {
        scene.round(seq).await;
    }
    scene.expect((1..=110).step_by(3), true).await;
    scene.clock.advance(TTL / 2 - 1);
    scene.expect((1..=110).step_by(7), true).await;
    scene.clock.advance(1);
    scene.expect((1..=60).step_by(7), false).await;
    scene.expect((61..=110).step_by(7), true).await;
    scene.round(111).await;
    scene.clock.advance(TTL / 2);
    scene.expect((1..=110).step_by(9), false).await;
    scene.expect(111..=111, true).await;
}

/// What was granted in one turn of the ring and is committed in another.
#[tokio::test]
async fn what_is_under_way_when_the_ring_turns_is_remembered_for_its_whole_time() {
    let server = RedisServer::shared().await.unwrap();
    let scene = Scene::new(server).await;
    let id = |seq| uuid(1, seq);
    scene.clock.advance(TTL / 2 - 2);
    scene.say(&[offer(1, 1, &id(1)), offer(1, 2, &id(2))]).await;
    scene.clock.advance(4);
    // Granted by the same claim, behind the turn.
    scene.say(&[offer(1, 3, &id(3))]).await;
    let commits: Vec<Command> = (1..=3).map(|seq| commit(1, seq, &id(seq), 1)).collect();
    scene.say(&commits).await;
    scene.clock.advance(TTL - 1);
    for seq in 1..=3 {
        let again = offer(1, 4, &id(seq));
        let told = scene.say(&[again]).await;
        assert!(
            matches!(&told[..], [Verdict::Run(grant)] if grant.repeat),
            "{seq}: {told:?}"
        );
        let release = Command {
            key: key("k1"),
            action: Action::Release {
                fence: Fence(1 + seq),
            },
        };
        assert_eq!(scene.say(&[release]).await, [Verdict::Released]);
    }
}

/// A producer that gives all its events one id is answered no slower for that.
#[tokio::test]
async fn one_id_for_everything_does_not_grow_without_bounds() {
    let server = RedisServer::shared().await.unwrap();
    let scene = Scene::new(server).await;
    let id = uuid(7, 7);
    for seq in 1..=1_500 {
        let told = scene
            .say(&[offer(1, seq, &id), commit(1, seq, &id, seq)])
            .await;
        assert!(
            matches!(&told[0], Verdict::Run(grant) if grant.repeat == (seq > 1)),
            "{seq}: {told:?}"
        );
    }
    let mut admin = raw(server).await;
    let mut parts = Vec::new();
    for slot in 0..3 {
        let name = format!("{{ordered:{}:0}}:d{slot}", scene.group.name());
        let all: Vec<(Vec<u8>, Vec<u8>)> = ask(&mut admin, &format!("HGETALL {name}")).await;
        let short = all.into_iter().filter(|(field, _)| field.len() < 3);
        parts.extend(short.map(|(_, part)| part.len()));
    }
    assert!(parts.iter().all(|length| *length <= 520), "{parts:?}");
}

/// What was granted while ids were remembered is committed by the same worker when they no longer are.
#[tokio::test]
async fn what_was_granted_is_committed_when_nothing_is_remembered_any_more() {
    let server = RedisServer::shared().await.unwrap();
    let mut scene = Scene::new(server).await;
    let told = scene.say(&[offer(1, 1, "a")]).await;
    assert!(matches!(told[0], Verdict::Run(_)), "{told:?}");
    let mut policy = Policy::default();
    policy.dedup_ttl = Duration::ZERO;
    scene.group = Group::new(scene.group.name(), policy);
    let told = scene.say(&[commit(1, 1, "a", 1)]).await;
    assert!(matches!(told[0], Verdict::Committed { .. }), "{told:?}");
    let told = scene.say(&[offer(1, 1, "a")]).await;
    assert_eq!(told, [Verdict::Stale]);
}
