//! What the inbox counts.

use metrics_exporter_prometheus::PrometheusBuilder;
use ordered_core::handler::HandlerError;
use ordered_events::ordered_handler;
use ordered_postgres::inbox::Tx;

use super::handlers::by_hand;
use crate::support::inbox::{Fixture, Step};

#[ordered_handler(key = "key", seq = "seq")]
async fn apply(step: Step, mut tx: Tx) -> Result<(), HandlerError> {
    let insert = "insert into effects (key, seq) values ($1, $2)";
    let client = tx.client().await?;
    client.execute(insert, &[&step.key, &step.seq]).await?;
    Ok(())
}

#[ordered_handler(key = "key", seq = "seq")]
async fn refuse(_step: Step, mut tx: Tx) -> Result<(), HandlerError> {
    tx.client().await?.execute("select 1", &[]).await?;
    Err("there is no such account".into())
}

#[test]
fn each_run_is_counted_by_how_its_transaction_ended() {
    let publisher = PrometheusBuilder::new().build_recorder();
    let page = publisher.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // One thread, so that everything is counted by the publisher of this test.
    metrics::with_local_recorder(&publisher, || {
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            by_hand(&fixture, refuse).await.unwrap_err();
            by_hand(&fixture, apply).await.unwrap();
            by_hand(&fixture, apply).await.unwrap();
            // One that was paused since long ago.
            let fence = "update ordered_progress set fence = fence + 1, last_seq = 1";
            fixture.client.batch_execute(fence).await.unwrap();
            by_hand(&fixture, apply).await.unwrap_err();
            fixture.assert_once(1, 1).await;
        });
    });
    let page = page.render();
    for (outcome, runs) in [
        ("recorded", 1),
        ("done_before", 1),
        ("fenced", 1),
        ("rolled_back", 1),
        ("conflict", 0),
        ("not_next", 0),
        ("failed", 0),
    ] {
        let line = format!("ordered_inbox_runs_total{{outcome=\"{outcome}\"}} {runs}");
        assert!(page.contains(&line), "no {line:?} in\n{page}");
    }
    assert!(
        page.contains("ordered_inbox_begin_seconds_count 4"),
        "{page}"
    );
    assert!(
        page.contains("ordered_inbox_commit_seconds_count 1"),
        "{page}"
    );
}
