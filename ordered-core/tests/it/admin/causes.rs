//! Failures by cause.

use ordered_core::admin::Selection;

use crate::support::stage::{Stage, fail};

#[tokio::test(start_paused = true)]
async fn events_that_failed_alike_are_one_cause() {
    let stage = Stage::new().await;
    for (name, error) in [
        ("order-1", "order-1: no price for 4711"),
        ("order-2", "order-2: no price for 4712"),
        ("order-3", "the customer is unknown"),
    ] {
        stage
            .change(name, |transition| {
                fail(transition, 1, |transition, mut run| {
                    run.error = error;
                    transition.halt(run);
                });
            })
            .await;
    }
    stage
        .change("order-4", |transition| {
            fail(transition, 1, |transition, mut run| {
                run.error = "id-1 of order-4: no price for 1";
                transition.dead_letter(run);
            });
            fail(transition, 2, |transition, mut run| {
                run.error = "order-4: no price for 12";
                transition.dead_letter(run);
            });
        })
        .await;
    let causes = stage
        .admin
        .causes(&stage.group, &Selection::default())
        .await;
    let causes = causes.unwrap();
    let seen: Vec<_> = causes
        .iter()
        .map(|cause| (&*cause.cause, cause.events, cause.halted, cause.dead))
        .collect();
    assert_eq!(
        seen,
        [
            ("…: no price for …", 3, 2, 1),
            ("the customer is unknown", 1, 1, 0),
            ("… of …: no price for …", 1, 0, 1),
        ]
    );
    assert!(causes[0].example.error.contains("no price for"));
    let some = Selection {
        pattern: Some("order-3".into()),
        ..Selection::default()
    };
    let some = stage.admin.causes(&stage.group, &some).await.unwrap();
    assert_eq!(some.len(), 1);
}
