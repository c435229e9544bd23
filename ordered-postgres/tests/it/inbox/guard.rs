//! The row of a key against a model: the set of the seqs that were applied.

use std::collections::BTreeSet;

use ordered_core::event::{EventId, Key, Seq};
use ordered_core::handler::{Context, ContextParts};
use ordered_core::protocol::{Fence, WorkerId};
use ordered_postgres::inbox::{Gaps, Guard, Inbox, Outcome};
use tokio_postgres::Client;

use crate::support::inbox::Fixture;

/// A run by hand.
#[derive(Debug, Clone, Copy)]
struct Run {
    epoch: u64,
    first: u64,
    last: u64,
    fence: u64,
}

fn run(first: u64, last: u64) -> Run {
    Run {
        epoch: 0,
        first,
        last,
        fence: 1,
    }
}

fn context(key: &str, run: Run, id: impl Fn(u64) -> String) -> Context {
    let one = |seq| {
        Context::new(ContextParts {
            group: "group".into(),
            worker: WorkerId::new("by hand"),
            key: Key::new(key).unwrap(),
            epoch: run.epoch,
            seq: Seq::new(seq).unwrap(),
            id: EventId::new(id(seq)).unwrap(),
            attempt: 1,
            fence: Fence(run.fence),
            received_at: 0,
            envelope: ordered_core::event::Envelope::default(),
            states: std::sync::Arc::default(),
        })
    };
    let others = (run.first + 1..=run.last).map(one).collect();
    Context::of_run(one(run.first), others)
}

fn id(run: Run) -> impl Fn(u64) -> String {
    move |seq| format!("{}-{seq}", run.epoch)
}

async fn record(client: &mut Client, key: &str, run: Run) -> Outcome {
    record_as(client, context(key, run, id(run)), Gaps::Allow).await
}

async fn record_as(client: &mut Client, context: Context, gaps: Gaps) -> Outcome {
    let mut transaction = client.transaction().await.unwrap();
    let guard = Guard::of(&context).unwrap().gaps(gaps);
    let outcome = guard.record(&mut transaction).await.unwrap();
    if outcome.is_recorded() {
        transaction.commit().await.unwrap();
    } else {
        transaction.rollback().await.unwrap();
    }
    outcome
}

fn done(last_seq: u64) -> Outcome {
    Outcome::DoneAlready { last_seq }
}

#[tokio::test]
async fn keys_that_begin_with_zero_are_recorded_from_there() {
    let mut client = Fixture::new().await.client;
    assert_eq!(record(&mut client, "k", run(0, 0)).await, Outcome::Recorded);
    assert_eq!(record(&mut client, "k", run(0, 0)).await, done(0));
    assert_eq!(record(&mut client, "k", run(1, 1)).await, Outcome::Recorded);
    assert_eq!(record(&mut client, "k", run(0, 0)).await, done(1));
    assert_eq!(
        record(&mut client, "batch", run(0, 3)).await,
        Outcome::Recorded
    );
    assert_eq!(record(&mut client, "batch", run(2, 2)).await, done(3));
}

#[tokio::test]
async fn an_event_is_recorded_once() {
    let mut client = Fixture::new().await.client;
    assert_eq!(record(&mut client, "k", run(1, 1)).await, Outcome::Recorded);
    assert_eq!(record(&mut client, "k", run(1, 1)).await, done(1));
    assert_eq!(record(&mut client, "k", run(2, 2)).await, Outcome::Recorded);
    assert_eq!(record(&mut client, "k", run(1, 1)).await, done(2));
    assert_eq!(record(&mut client, "l", run(1, 1)).await, Outcome::Recorded);
}

#[tokio::test]
async fn an_older_fence_is_refused_and_the_same_or_a_newer_one_is_not() {
    let mut client = Fixture::new().await.client;
    let with = |seq, fence| Run {
        fence,
        ..run(seq, seq)
    };
    for (seq, fence) in [(1, 5), (2, 5), (3, 9)] {
        let outcome = record(&mut client, "k", with(seq, fence)).await;
        assert_eq!(outcome, Outcome::Recorded);
    }
    let fenced = Outcome::Fenced {
        recorded: Fence(9),
        fence: Fence(8),
    };
    for seq in [3, 4] {
        assert_eq!(record(&mut client, "k", with(seq, 8)).await, fenced);
    }
    assert!(
        fenced
            .clone()
            .into_result()
            .is_err_and(|error| !error.is_permanent())
    );
}

#[tokio::test]
async fn a_gap_is_noted_as_skipped_and_filled_once() {
    let mut client = Fixture::new().await.client;
    for seq in [2, 3, 6] {
        assert_eq!(
            record(&mut client, "k", run(seq, seq)).await,
            Outcome::Recorded
        );
    }
    let skipped = "select skipped::text from ordered_progress";
    let row = client.query_one(skipped, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "{[1,2),[4,6)}");
    for seq in [5, 1, 4] {
        assert_eq!(
            record(&mut client, "k", run(seq, seq)).await,
            Outcome::Recorded
        );
        assert_eq!(record(&mut client, "k", run(seq, seq)).await, done(6));
    }
    let row = client.query_one(skipped, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "{}");
}

#[tokio::test]
async fn a_gap_is_refused_where_none_may_be() {
    let mut client = Fixture::new().await.client;
    let strict = async |client: &mut Client, seq| {
        let run = run(seq, seq);
        record_as(client, context("k", run, id(run)), Gaps::Refuse).await
    };
    assert_eq!(strict(&mut client, 3).await, Outcome::Recorded);
    assert_eq!(strict(&mut client, 4).await, Outcome::Recorded);
    let refused = strict(&mut client, 6).await;
    let not_next = Outcome::NotNext {
        epoch: 0,
        seqs: 6..=6,
        recorded_epoch: 0,
        last_seq: 4,
    };
    assert_eq!(refused, not_next);
    assert!(
        refused.to_string().contains("seq 6 does not follow 4"),
        "{refused}"
    );
    assert_eq!(strict(&mut client, 5).await, Outcome::Recorded);
}

#[tokio::test]
async fn a_run_of_which_a_part_is_done_is_refused_whole() {
    let mut client = Fixture::new().await.client;
    assert_eq!(record(&mut client, "k", run(1, 3)).await, Outcome::Recorded);
    assert_eq!(record(&mut client, "k", run(2, 3)).await, done(3));
    let refused = record(&mut client, "k", run(2, 5)).await;
    assert!(
        matches!(refused, Outcome::NotNext { last_seq: 3, .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("one at a time"), "{refused}");
    assert_eq!(record(&mut client, "k", run(4, 5)).await, Outcome::Recorded);
}

#[tokio::test]
async fn a_new_numbering_begins_anew_and_the_old_one_is_refused() {
    let mut client = Fixture::new().await.client;
    let with = |epoch, seq| Run {
        epoch,
        ..run(seq, seq)
    };
    for (epoch, seq) in [(0, 9), (2, 1), (2, 2)] {
        let outcome = record(&mut client, "k", with(epoch, seq)).await;
        assert_eq!(outcome, Outcome::Recorded);
    }
    let refused = record(&mut client, "k", with(0, 10)).await;
    assert!(
        matches!(
            refused,
            Outcome::NotNext {
                recorded_epoch: 2,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(
        refused
            .to_string()
            .contains("ordered import --from-postgres"),
        "{refused}"
    );
}

#[tokio::test]
async fn another_event_under_the_last_seq_is_a_conflict() {
    let mut client = Fixture::new().await.client;
    assert_eq!(record(&mut client, "k", run(1, 1)).await, Outcome::Recorded);
    let other = context("k", run(1, 1), |_| "another".into());
    let refused = record_as(&mut client, other, Gaps::Allow).await;
    let conflict = Outcome::Conflict {
        seq: 1,
        recorded: "0-1".into(),
        event_id: "another".into(),
    };
    assert_eq!(refused, conflict);
    assert!(
        refused
            .into_result()
            .is_err_and(|error| error.is_permanent())
    );
}

#[tokio::test]
async fn what_postgres_cannot_store_is_refused_before_it_is_asked() {
    let nul = context("k\0", run(1, 1), |_| "id".into());
    let error = Guard::of(&nul).unwrap_err().to_string();
    assert!(error.contains("NUL"), "{error}");
    let fence = Run {
        fence: u64::MAX,
        ..run(1, 1)
    };
    let error = Guard::of(&context("k", fence, id(fence))).unwrap_err();
    assert!(error.to_string().contains("2^63-1"), "{error}");
}

#[tokio::test]
async fn the_guard_stands_beside_the_application_s_own_statements() {
    let fixture = Fixture::new().await;
    let pool = crate::support::inbox::pool(&fixture.url, 2);
    let mut connection = pool.get().await.unwrap();
    for _ in 0..2 {
        let mut transaction = connection.transaction().await.unwrap();
        let insert = "insert into effects (key, seq) values ('k', 1)";
        transaction.batch_execute(insert).await.unwrap();
        let context = fixture.context("k", 1, 1);
        match Inbox::guard(&mut transaction, &context).await.unwrap() {
            Outcome::Recorded => transaction.commit().await.unwrap(),
            other => {
                transaction.rollback().await.unwrap();
                other.into_result().unwrap();
            }
        }
    }
    assert_eq!(fixture.effects().await, [(("k".into(), 1), 1)].into());
}

/// What the row says, by the model.
#[derive(Default)]
struct Model {
    epoch: u64,
    fence: u64,
    applied: BTreeSet<u64>,
}

impl Model {
    /// Whether the run is recorded.
    fn record(&mut self, run: Run) -> bool {
        let is_earlier = run.epoch < self.epoch;
        let is_applied = (run.first..=run.last).any(|seq| self.applied.contains(&seq));
        let last = self.applied.last().copied().unwrap_or(0);
        // A run that is partly ahead and partly in a hole is not one that a worker has.
        let is_split = run.first <= last && run.last > last;
        if run.fence < self.fence || is_earlier {
            return false;
        }
        if run.epoch > self.epoch {
            *self = Self {
                epoch: run.epoch,
                ..Self::default()
            };
        } else if is_applied || is_split {
            return false;
        }
        self.applied.extend(run.first..=run.last);
        self.fence = run.fence;
        true
    }
}

#[tokio::test]
async fn the_row_is_the_set_of_what_was_applied() {
    let mut client = Fixture::new().await.client;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut model = Model::default();
    for step in 0..400 {
        let last = model.applied.last().copied().unwrap_or(0);
        let first = random.u64(1..=last + 4);
        let fence = model.fence.saturating_sub(random.u64(0..=1)) + random.u64(0..=1);
        let run = Run {
            epoch: if random.u8(..100) == 0 {
                model.epoch + 1
            } else {
                model.epoch - u64::from(model.epoch > 0 && random.u8(..20) == 0)
            },
            first,
            last: first + random.u64(0..=3),
            fence: fence.max(1),
        };
        let outcome = record(&mut client, "k", run).await;
        let recorded = model.record(run);
        assert_eq!(
            outcome.is_recorded(),
            recorded,
            "seed {seed}, step {step}: {run:?} {outcome:?}"
        );
        if let Outcome::DoneAlready { .. } = outcome {
            let mut seqs = run.first..=run.last;
            assert!(
                seqs.all(|seq| model.applied.contains(&seq)),
                "seed {seed}, step {step}: {run:?}"
            );
        }
        let sql = "select epoch, last_seq, (select coalesce(sum(upper(hole) - lower(hole)), 0)::bigint \
                   from unnest(skipped) as hole) from ordered_progress";
        let row = client.query_one(sql, &[]).await.unwrap();
        let row: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        let last = model.applied.last().copied().unwrap_or(0);
        let skipped = last - model.applied.len() as u64;
        let expected = [model.epoch, last, skipped].map(|number| i64::try_from(number).unwrap());
        assert_eq!(row, expected, "seed {seed}, step {step}: {run:?}");
    }
}
