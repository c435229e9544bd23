//! `cargo run --release -p model` explores every world and hunts every mistake. `… -- worlds`, `… -- mistakes` do the
//! one or the other, `… -- mistakes no-fence` what has that in its name.

use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

use model::{Bounds, FULL, HUNT, Model, Mutation, PROPERTIES, check, hunt};

const USAGE: &str = "Usage: model [worlds [NAME] | mistakes [NAME]]

Explores every world, then hunts every mistake; or the one or the other, or what has NAME in its name (`=NAME`: just
that world). Takes about ten minutes on two processors, and up to 2 GB of memory.";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let name = words.next().unwrap_or_default();
    if !["", "worlds", "mistakes"].contains(&what.as_str()) {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let sound = what == "mistakes" || worlds(&name);
    let caught = what == "worlds" || mistakes(&name);
    if sound && caught {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether no promise is broken in any world.
fn worlds(name: &str) -> bool {
    let threads = available_parallelism().map_or(1, usize::from);
    println!(
        "In every state: {}. Over the graph: no dead end.",
        PROPERTIES.join(", ")
    );
    println!();
    println!("| world | workers | events | what may go wrong | states | steps | depth | seconds |");
    println!("|---|--:|--:|---|--:|--:|--:|--:|");
    let (mut states, mut steps, mut broken) = (0, 0, false);
    for bounds in FULL.iter().filter(|bounds| {
        if name.starts_with('=') {
            bounds.name == &name[1..]
        } else {
            bounds.name.contains(name)
        }
    }) {
        let report = check(&Model::new(*bounds), threads);
        let Bounds {
            name,
            workers,
            events,
            ..
        } = bounds;
        println!(
            "| {name} | {workers} | {} | {} | {} | {} | {} | {:.0} |",
            events.len(),
            bounds.wrongs(),
            report.states,
            report.steps,
            report.depth,
            report.took.as_secs_f64()
        );
        states += report.states;
        steps += report.steps;
        if let Some(finding) = &report.finding {
            eprintln!("{finding}");
        }
        broken |= report.finding.is_some();
    }
    println!("| all | | | | {states} | {steps} | | |");
    println!();
    !broken
}

/// Whether every mistake is found.
fn mistakes(name: &str) -> bool {
    let mut all = true;
    for mutation in Mutation::ALL {
        if !mutation.name().contains(name) {
            continue;
        }
        let begun = Instant::now();
        let finding = hunt(mutation, HUNT);
        let took = begun.elapsed().as_secs_f64();
        println!("{}: {} ({took:.1} s)", mutation.name(), mutation.words());
        all &= finding.is_some();
        match finding {
            Some(finding) => println!("{finding}"),
            None => println!("NOT FOUND\n"),
        }
    }
    all
}
