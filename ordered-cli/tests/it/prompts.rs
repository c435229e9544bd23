//! What is asked at a terminal before something is destroyed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::world::{Running, Said, World};

/// A terminal: the end to type at, and the end for the standard input.
pub(crate) fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (File::from(ours), theirs)
}

pub(crate) async fn answered(world: &World, line: &str, answer: &str) -> Said {
    let (mut typed, input) = terminal();
    let mut command = world.command(&line.split(' ').collect::<Vec<_>>());
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    writeln!(typed, "{answer}").unwrap();
    Said::of(child.wait_with_output().await.unwrap())
}

async fn gap() -> (World, Running) {
    let world = World::calm().await;
    let worker = world.start("w1", |worker| worker);
    world.publish("k", [3]).await;
    world
        .until("k", "in a gap", |view| view.held_events == 1)
        .await;
    (world, worker)
}

const PLAN: &str = "k: skip would: pass over 1–2; move the last seq from 0 to 2; release 1 event (3)\nGo on? [y/N]";

#[tokio::test]
async fn yes_does_it() {
    let (world, worker) = gap().await;
    let said = answered(&world, "skip k", "y").await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.err, PLAN);
    assert_eq!(
        said.out,
        "k: skip: pass over 1–2; move the last seq from 0 to 2; release 1 event (3)"
    );
    world.until_done("k", 3).await;
    worker.stop().await;
}

#[tokio::test]
async fn anything_else_does_not() {
    let (world, worker) = gap().await;
    for answer in ["", "n", "ye"] {
        let message = answered(&world, "skip k", answer).await.fails(1);
        assert_eq!(message, format!("{PLAN} ordered: nothing was changed"));
    }
    assert_eq!(world.view("k").await.unwrap().last_seq, 0);
    worker.stop().await;
}

#[tokio::test]
async fn what_destroys_nothing_is_not_asked_about() {
    let (world, worker) = gap().await;
    for line in ["pause k", "resume k", "pause", "resume"] {
        world.ordered(line).await.ok();
    }
    worker.stop().await;
}
