//! What the store costs: commands, time of the server, and memory.

use bytes::Bytes;
use ordered_core::protocol::Fence;
use ordered_core::store::{Acquire, AcquireMode, Answer, Request, Save};

use crate::support::*;

/// A number of a command from `INFO commandstats`.
fn stat(stats: &str, command: &str, field: &str) -> u64 {
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
    let fields = line.unwrap_or_default().split(',');
    let value = fields
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == field);
    value.map_or(0, |(_, value)| value.parse().unwrap())
}

fn uuid(number: u64) -> String {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}-0000-4000-8000-{:012x}", scattered >> 32, number)
}

/// A batch of acquisitions that look one id up each.
fn acquisitions(names: &[String], first_id: u64) -> Vec<Request> {
    let ids = first_id..;
    let request = |(name, number): (&String, u64)| {
        Request::Acquire(Acquire {
            key: key(name),
            mode: AcquireMode::Ask,
            letters: Vec::new(),
            look_up: vec![id(&uuid(number))],
        })
    };
    names.iter().zip(ids).map(request).collect()
}

/// The batch that commits one event of each key, remembers its id, and gives the key up.
fn commits(names: &[String], first_id: u64, fences: &[Fence]) -> Vec<Request> {
    let request = |((name, number), fence): ((&String, u64), &Fence)| {
        Request::Save(Box::new(Save {
            body: Some(Bytes::from_static(b"\x01\x05")),
            remember: vec![id(&uuid(number))],
            ..release(name, *fence)
        }))
    };
    names
        .iter()
        .zip(first_id..)
        .zip(fences)
        .map(request)
        .collect()
}

/// One event of each key: acquired, and committed.
async fn process(worker: &Worker, names: &[String], first_id: u64) {
    let answers = worker.say(&acquisitions(names, first_id)).await.unwrap();
    let fences: Vec<Fence> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Owned(owned) if owned.seen == [false] => owned.fence,
            other => panic!("{other:?}"),
        })
        .collect();
    let answers = worker
        .say(&commits(names, first_id, &fences))
        .await
        .unwrap();
    for answer in answers {
        assert!(matches!(answer, Answer::Saved(saved) if saved.released));
    }
}

fn names(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("order-{number:06}")).collect()
}

#[tokio::test]
async fn a_batch_is_one_script_call_for_each_bucket_and_a_few_commands_whatever_its_size() {
    let (server, store) = alone(4).await;
    let group = group("commands");
    let worker = Worker::open(&store, &group, "w").await;
    let mut admin = raw(&server).await;
    let _: () = ask(&mut admin, "CONFIG RESETSTAT").await;
    process(&worker, &names(0..400), 0).await;
    let stats: String = ask(&mut admin, "INFO commandstats").await;
    let calls = |command| stat(&stats, command, "calls");
    assert_eq!(calls("evalsha"), 2 * 4, "{stats}");
    // The metadata of each call, the owners of each, and the records of the keys that are acquired.
    assert_eq!(calls("hmget"), 4 * (1 + 2) + 4 * (1 + 1), "{stats}");
    assert_eq!(calls("hset"), 4 * (1 + 1) + 4 * (1 + 1), "{stats}");
    assert_eq!(calls("hdel"), 4, "{stats}");
    assert_eq!(calls("sismember"), 400, "{stats}");
    assert_eq!(calls("sadd"), 400, "{stats}");
    for untouched in ["zadd", "zrem", "eval", "hexists"] {
        assert_eq!(calls(untouched), 0, "{stats}");
    }
}

/// Prints what an event costs the server. The bounds are loose: they are there to notice a script that grew.
#[tokio::test]
async fn an_event_costs_the_server_a_few_microseconds() {
    let (server, store) = alone(1).await;
    let group = group("micros");
    let worker = Worker::open(&store, &group, "w").await;
    let mut admin = raw(&server).await;
    let mut first = 0;
    for (batch, bound) in [(200, 25), (1, 200)] {
        let mut best = f64::MAX;
        for _ in 0..6 {
            let _: () = ask(&mut admin, "CONFIG RESETSTAT").await;
            for round in 0..20 {
                let names = names(round * batch..(round + 1) * batch);
                process(&worker, &names, first).await;
                first += batch;
            }
            let stats: String = ask(&mut admin, "INFO commandstats").await;
            let micros = u32::try_from(stat(&stats, "evalsha", "usec")).unwrap();
            best = best.min(f64::from(micros) / f64::from(20 * u32::try_from(batch).unwrap()));
        }
        println!("{best:.2} µs of Redis an event, in batches of {batch}");
        assert!(best < f64::from(bound), "{best}");
    }
}

/// Bounds, and not measurements: they are there to notice a layout that grew.
#[tokio::test]
async fn an_idle_key_costs_tens_of_bytes_and_a_remembered_id_fewer_than_twenty() {
    let (server, store) = alone(1).await;
    let group = group("memory");
    let tag = tag(&group);
    let worker = Worker::open(&store, &group, "w").await;
    let mut admin = raw(&server).await;
    for round in 0..200_u64 {
        let first = round % 40 * 500;
        process(&worker, &names(first..first + 500), round * 500).await;
    }
    let records: u64 = ask(&mut admin, &format!("MEMORY USAGE {tag}:K SAMPLES 0")).await;
    let parts: Vec<String> = ask(&mut admin, &format!("KEYS {tag}:I:*")).await;
    let mut ids = 0;
    for part in &parts {
        ids += ask::<u64>(&mut admin, &format!("MEMORY USAGE {part} SAMPLES 0")).await;
        let lives: i64 = ask(&mut admin, &format!("PTTL {part}")).await;
        assert!(lives > 0, "{part} expires");
    }
    let (a_key, an_id) = (records / 20_000, ids / 100_000);
    println!(
        "{a_key} bytes an idle key, {} bytes for 100 ids, {} parts",
        ids / 1_000,
        parts.len()
    );
    // An entry of the hash takes 24 bytes, its name and its value 16 each, and its share of the table from 8 to 16:
    // with 20,000 keys, 13.
    assert!(a_key <= 70, "{a_key} bytes an idle key");
    assert!(an_id <= 20, "{an_id} bytes a remembered id");
}

/// A hash that Redis keeps as a list is gone through for each field.
#[tokio::test]
async fn records_and_owners_are_tables_from_the_first_key_on_and_after_a_restart() {
    let (server, store) = alone(1).await;
    let group = group("coding");
    let worker = Worker::open(&store, &group, "w").await;
    process(&worker, &names(0..1), 0).await;
    let mut admin = raw(&server).await;
    for structure in ["K", "O"] {
        let name = format!("{}:{structure}", tag(&group));
        let dumped: Vec<u8> = ask(&mut admin, &format!("DUMP {name}")).await;
        let mut restore = redis::cmd("RESTORE");
        restore.arg(&name).arg(0).arg(dumped).arg("REPLACE");
        let _: () = restore.query_async(&mut admin).await.unwrap();
        let coding: String = ask(&mut admin, &format!("OBJECT ENCODING {name}")).await;
        assert_eq!(coding, "hashtable", "{structure}");
    }
}
