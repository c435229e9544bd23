//! What is asked at a terminal before something is destroyed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{CommandOutput, Fixture, Running};

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

pub(crate) async fn answered(fixture: &Fixture, line: &str, answer: &str) -> CommandOutput {
    let (mut typed, input) = terminal();
    let mut command = fixture.command(&line.split(' ').collect::<Vec<_>>());
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    writeln!(typed, "{answer}").unwrap();
    CommandOutput::of(child.wait_with_output().await.unwrap())
}

async fn gap() -> (Fixture, Running) {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [3]).await;
    fixture
        .until("k", "in a gap", |view| view.held_events == 1)
        .await;
    (fixture, worker)
}

const PLAN: &str = "k: skip would: pass over 1–2; move the last seq from 0 to 2; release 1 event (3)\nGo on? [y/N]";

#[tokio::test]
async fn yes_does_it() {
    let (fixture, worker) = gap().await;
    let output = answered(&fixture, "skip k", "y").await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.err, PLAN);
    assert_eq!(
        output.out,
        "k: skip: pass over 1–2; move the last seq from 0 to 2; release 1 event (3)"
    );
    fixture.until_done("k", 3).await;
    worker.stop().await;
}

#[tokio::test]
async fn anything_else_does_not() {
    let (fixture, worker) = gap().await;
    for answer in ["", "n", "ye"] {
        let message = answered(&fixture, "skip k", answer).await.fails(1);
        assert_eq!(message, format!("{PLAN} ordered: nothing was changed"));
    }
    assert_eq!(fixture.view("k").await.unwrap().last_seq, 0);
    worker.stop().await;
}

#[tokio::test]
async fn what_destroys_nothing_is_not_asked_about() {
    let (fixture, worker) = gap().await;
    for line in ["pause k", "resume k", "pause", "resume"] {
        fixture.ordered(line).await.ok();
    }
    worker.stop().await;
}
