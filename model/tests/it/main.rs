//! The short form: seconds, without optimisation. The long one is `cargo run --release -p model`.

use model::{Model, Mutation, SHORT, check, hunt};

#[test]
fn no_promise_is_broken_in_the_small_worlds() {
    for bounds in SHORT {
        let report = check(&Model::new(*bounds), 2);
        println!(
            "{}: {} states, {} steps",
            bounds.name, report.states, report.steps
        );
        if let Some(finding) = report.finding {
            panic!("{finding}");
        }
    }
}

/// Those that show in a small world; the others are hunted by the long form.
#[test]
fn a_mistake_is_found() {
    for mutation in [
        Mutation::AckOnDelivery,
        Mutation::AckOnStart,
        Mutation::AckOfEarly,
        Mutation::LostReplyIsRefusal,
        Mutation::ClientClock,
        Mutation::MarkBeforeHandle,
        Mutation::HeldDroppedOnCommit,
        Mutation::DuplicateBySeqOnly,
        Mutation::LastWins,
        Mutation::TakeoverBeforeLeaseEnd,
        Mutation::GrantOverGap,
        Mutation::AckBeforeDeadLetter,
        Mutation::SkipDoesNotFence,
        Mutation::DiscardDrops,
        Mutation::PauseForgetsHeld,
        Mutation::ReplayIsRepeat,
        Mutation::FillIsForgotten,
        Mutation::ResetDropsHeld,
    ] {
        let finding = hunt(mutation, mutation.worlds());
        assert!(finding.is_some(), "{}", mutation.words());
    }
}
