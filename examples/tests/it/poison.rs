//! An event that kills every worker that handles it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ordered_events::core::protocol::{KeyView, Policy, Verb, Verdict};
use ordered_events::core::store::{Group, Operator};
use ordered_events::{Admin, Key, OperateOptions, RedisStore};
use ordered_testkit::eventually_within;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::load::Load;
use crate::support::processes::{Setting, TIMEOUT, Worker};

const LOAD: Load = Load {
    keys: 40,
    events: 20,
    seed: 6,
};
const KEY: &str = "order-7";
const SEQ: u64 = 5;
/// A short lease, and handlers that are slow beside it, so that every crash takes others along.
const OPTIONS: [&str; 8] = [
    "--lease-ms",
    "900",
    "--sweep-ms",
    "150",
    "--work-ms",
    "30",
    "--concurrency",
    "16",
];
const SIGABRT: i32 = 6;
/// After so many deaths the event that the workers ran is a suspect, and runs alone.
const DEATHS_OF_A_SUSPECT: u32 = 2;

/// Workers that are started again, under another name, when they die.
struct Fleet<'a> {
    setting: &'a Setting,
    alive: Vec<Worker>,
    /// In the order in which they died.
    died: Vec<String>,
    started: usize,
}

impl<'a> Fleet<'a> {
    fn new(setting: &'a Setting) -> Self {
        Self {
            setting,
            alive: Vec::new(),
            died: Vec::new(),
            started: 0,
        }
    }

    fn start(&mut self, more: &[&str]) {
        self.started += 1;
        let id = format!("w{}", self.started);
        self.alive
            .push(self.setting.work(&id, &[&OPTIONS[..], more].concat()));
    }

    /// What whoever runs the workers does.
    fn look_after(&mut self, more: &[&str]) {
        let dead: Vec<Worker> = self
            .alive
            .extract_if(.., |worker| !worker.is_running())
            .collect();
        for mut worker in dead {
            assert_eq!(worker.ended_by(), Some(SIGABRT), "{} ended", worker.id);
            println!("{} died", worker.id);
            self.died.push(worker.id.clone());
            self.start(more);
        }
    }
}

async fn view(admin: &Admin, group: &Group, key: &str) -> Option<KeyView> {
    admin.inspect(group, &Key::new(key).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_kills_its_workers_halts_its_key_and_no_other() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::new("poison", rabbit.url(), redis.url());
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    let admin = Admin::new(Arc::new(store));
    let policy = Policy::default();
    let deaths = DEATHS_OF_A_SUSPECT + policy.max_crashes;
    let group = Group::new(&setting.group, policy);
    let poison = format!("{KEY}:{SEQ}");
    let poison = ["--poison", &poison];
    setting.produce(&LOAD).await;

    let mut fleet = Fleet::new(&setting);
    (0..2).for_each(|_| fleet.start(&poison));
    let mut halted = None;
    eventually_within(
        TIMEOUT,
        "the key is halted, and the others done",
        async || {
            fleet.look_after(&poison);
            halted = view(&admin, &group, KEY)
                .await
                .filter(|view| view.phase == "halted");
            let followers = LOAD.events - SEQ + 1;
            setting.log.is_finished_but_for(KEY, &LOAD)
                && halted
                    .as_ref()
                    .is_some_and(|view| view.held_events == followers)
        },
    )
    .await;

    let halted = halted.unwrap();
    println!("{halted:?}");
    assert_eq!(fleet.died.len(), deaths as usize, "{:?}", fleet.died);
    assert_eq!((halted.last_seq, halted.attempts), (SEQ - 1, deaths));
    let held: Vec<u64> = halted.held.iter().map(|held| held.seq).collect();
    assert_eq!(held, (SEQ..=LOAD.events).collect::<Vec<_>>());
    let (last_error, last) = (halted.last_error.unwrap(), fleet.died.last().unwrap());
    assert_eq!(last_error.worker.as_str(), last);
    assert_eq!(
        last_error.error,
        format!("worker {last} died while it ran this event alone")
    );
    assert!(fleet.alive.iter_mut().all(Worker::is_running));

    // Fixed workers take the place of those, and an operator lets the key go on.
    for worker in fleet.alive.drain(..) {
        worker.stop().await;
    }
    fleet.start(&[]);
    let key = Key::new(KEY).unwrap();
    let operator = Operator {
        who: "ada".into(),
        why: "the handler is fixed".into(),
    };
    let options = OperateOptions::default();
    let done = admin
        .operate(&group, &key, &Verb::Retry, &operator, options)
        .await
        .unwrap();
    assert!(matches!(done, Verdict::Operated(_)), "{done:?}");
    setting.finished(&LOAD).await;
    for worker in fleet.alive.drain(..) {
        worker.stop().await;
    }
    let died: BTreeSet<String> = fleet.died.drain(..).collect();
    setting
        .log
        .assert_repeated_only_by(|worker| died.contains(worker), &LOAD);
}
