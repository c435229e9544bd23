//! `docs/command-line.md` shows what the commands really say: each `$ ordered …` in it is run, and its output compared.
//! `ORDERED_DOCS=write` writes the outputs into it.

use std::path::Path;

use ordered_core::explain::{KeyStatus, explain};

use crate::support::{Fixture, HandlerAction, Running, masked};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command-line.md");

/// A group in which something is wrong with a few orders.
async fn failing_keys() -> (Fixture, Running) {
    let fixture = Fixture::new(|context, text| {
        let seq = context.seq().get();
        match context.key().as_str() {
            "order-18" if seq == 2 && text == "as-sent" => {
                HandlerAction::FailWith("no price for the article 4711")
            }
            "order-20" if seq == 1 => HandlerAction::FailWith("the customer is unknown"),
            _ => HandlerAction::Succeed,
        }
    })
    .await;
    let worker = fixture.start("w3", |worker| worker);
    // One after the other, so that fences and ids are the same every time.
    for (key, seqs, held) in [
        ("order-17", vec![1, 4, 5, 6], 3),
        ("order-18", vec![1, 2], 1),
        ("order-18", vec![3, 4, 5], 4),
        ("order-19", vec![1, 2, 3], 0),
        ("order-20", vec![1], 1),
        ("order-20", vec![2], 2),
    ] {
        for seq in seqs {
            fixture.publish(key, [seq]).await;
            fixture
                .until(key, "settled", |view| {
                    let seen = view
                        .last_seq
                        .max(view.held.last().map_or(0, |held| held.seq));
                    view.claim.is_none() && seen >= seq
                })
                .await;
        }
        fixture
            .until(key, "as the documentation has it", |view| {
                view.held_events == held
            })
            .await;
    }
    (fixture, worker)
}

/// Waits until no key is on its way, so that what a command says does not depend on how fast the worker is.
async fn at_rest(fixture: &Fixture) {
    for key in ["order-17", "order-18", "order-19", "order-20"] {
        let moving = [KeyStatus::Running, KeyStatus::Abandoned, KeyStatus::Ready];
        fixture
            .until(key, "at rest", |view| {
                let status = explain(key, Some(view), &fixture.group, None).status;
                !moving.contains(&status)
            })
            .await;
    }
}

/// The output, but for what is different every time.
fn comparable(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = masked(&words.join(" "));
        let mut masked = String::new();
        let mut digits = String::new();
        for letter in line.chars().chain(['\n']) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            // Milliseconds since the epoch, and fences.
            masked += if [13, 16].contains(&digits.len()) {
                "T"
            } else {
                &digits
            };
            digits.clear();
            masked.push(letter);
        }
        masked.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The words of a command line, with quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

async fn said(fixture: &Fixture, line: &str) -> String {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = fixture.run(&words).await;
    let mut text = [output.out, output.err].concat();
    if output.code != 0 {
        text += &format!("\n(exit code {})", output.code);
    }
    text
}

#[tokio::test]
async fn the_documentation_shows_what_the_commands_say() {
    let (fixture, worker) = failing_keys().await;
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let fixed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixed.json");
    std::fs::write(&fixed, "order-18 2 order-18-2 fixed").unwrap();
    let positions = Path::new(env!("CARGO_TARGET_TMPDIR")).join("positions.tsv");
    std::fs::write(&positions, "order-101\t57\norder-102\t12\norder-19\t2\n").unwrap();
    let (mut written, mut rest) = (String::new(), document.as_str());
    let mut commands = 0;
    while let Some((before, block)) = rest.split_once("```console\n") {
        let (block, after) = block.split_once("```").unwrap();
        let line = block.lines().next().unwrap();
        let shown = block.lines().skip(1).collect::<Vec<_>>().join("\n");
        let command = line.strip_prefix("$ ordered ").expect("a command");
        let command = command.replace("fixed.json", fixed.to_str().unwrap());
        let command = command.replace("positions.tsv", positions.to_str().unwrap());
        at_rest(&fixture).await;
        let real = said(&fixture, &command).await;
        written += &format!("{before}```console\n{line}\n{real}\n```");
        if std::env::var("ORDERED_DOCS").as_deref() != Ok("write") {
            assert_eq!(comparable(&shown), comparable(&real), "{line}");
        }
        (rest, commands) = (after, commands + 1);
    }
    written += rest;
    if std::env::var("ORDERED_DOCS").as_deref() == Ok("write") {
        std::fs::write(DOCUMENT, written).unwrap();
    }
    for command in [
        "status", "keys", "held", "dead", "workers", "audit", "explain", "retry", "skip",
        "discard", "edit", "set-last", "pause", "resume", "replay", "export", "verify", "errors",
        "show", "import",
    ] {
        assert!(
            document.contains(&format!("$ ordered {command}")),
            "`{command}` is not shown"
        );
    }
    assert!(commands > 17);
    worker.stop().await;
}
