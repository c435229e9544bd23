//! The short form: seconds, without optimisation. The long one is `cargo run --release -p model`.

use model::{HUNT, Model, Mutation, SHORT, check, hunt};

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
        Mutation::AckOnDone,
        Mutation::AckOnAsk,
        Mutation::AckOnFailure,
    ] {
        let finding = hunt(mutation, HUNT);
        assert!(finding.is_some(), "{}", mutation.words());
    }
}
