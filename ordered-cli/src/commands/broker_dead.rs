//! The dead letters of a broker, which stay where they are.

use ordered_core::internal::readable::{grouped, moment, printable, size};
use ordered_core::transport::{BrokerDeadLetter, DeadLetters};
use serde::Serialize;
use std::io::{self, BufWriter, Write};

use super::broker_letters::{Line, is_meant, reason};
use super::show::pretty;
use crate::args::{BrokerArgs, Dead, LetterFilter};
use crate::broker::dead_letters;
use crate::failure::Failure;
use crate::output::{Report, json, print, table};
use crate::watch::show;

/// How many are taken at a time.
const PAGE: usize = 500;
/// How much of a body is shown in the table.
const EXCERPT: usize = 60;

#[derive(Serialize)]
struct Document<'a> {
    queue: &'a str,
    /// How many there are, about, whatever was asked for.
    dead_events: u64,
    letters: Vec<Line<'a>>,
    /// There are more, beyond the limit.
    more: bool,
}

/// Those that are meant, with their place in the queue.
pub(super) struct FoundLetters {
    pub(super) queue: String,
    count: u64,
    pub(super) letters: Vec<(u64, BrokerDeadLetter)>,
    more: bool,
}

impl FoundLetters {
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        let lines = self.letters.iter();
        lines
            .map(|(number, letter)| Line::new(*number, letter))
            .collect()
    }
}

pub(crate) async fn run(command: &Dead) -> Result<(), Failure> {
    if let Some(number) = command.show {
        return one(command, number).await;
    }
    if command.export {
        let found = find(&command.broker, &command.letters, command.limit).await?;
        let mut out = BufWriter::new(io::stdout().lock());
        for (number, letter) in &found.letters {
            writeln!(out, "{}", json(&Line::whole(*number, letter))?)?;
        }
        return Ok(out.flush()?);
    }
    show(&command.view_args, async || {
        let found = find(&command.broker, &command.letters, command.limit).await?;
        let document = Document {
            queue: &found.queue,
            dead_events: found.count,
            letters: found.lines(),
            more: found.more,
        };
        Report::new(&document, text(&found))
    })
    .await
}

/// Looks at them, and lets go of them.
pub(super) async fn find(
    broker: &BrokerArgs,
    filter: &LetterFilter,
    limit: usize,
) -> Result<FoundLetters, Failure> {
    let letters = dead_letters(&broker.or_environment()).await?;
    let found = look(&*letters, filter, limit).await;
    let closed = letters.close().await;
    let found = found?;
    closed?;
    Ok(found)
}

async fn look(
    letters: &dyn DeadLetters,
    filter: &LetterFilter,
    limit: usize,
) -> Result<FoundLetters, Failure> {
    let mut found = FoundLetters {
        queue: letters.queue().to_owned(),
        count: letters.count().await?,
        letters: Vec::new(),
        more: false,
    };
    // What comes meanwhile is not waited for.
    let most = usize::try_from(found.count)
        .unwrap_or(usize::MAX)
        .saturating_add(PAGE);
    let mut number = 0;
    while number < most as u64 && !found.more {
        let page = letters.take(PAGE).await?;
        let is_last = page.len() < PAGE;
        for letter in page {
            number += 1;
            if !is_meant(filter, &letter) {
                continue;
            }
            found.more = found.letters.len() == limit;
            if found.more {
                break;
            }
            found.letters.push((number, letter));
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

async fn one(command: &Dead, number: u64) -> Result<(), Failure> {
    let found = find(&command.broker, &command.letters, usize::MAX).await?;
    let letter = found.letters.iter().find(|(place, _)| *place == number);
    let Some((_, letter)) = letter else {
        return Err(Failure::refused(format!(
            "there is no dead letter number {number} in `{}`: `ordered dead --transport …` lists them",
            printable(&found.queue)
        )));
    };
    let line = Line::whole(number, letter);
    print(
        &Report::new(&line, whole(number, letter))?,
        command.view_args.json,
    )
}

fn whole(number: u64, letter: &BrokerDeadLetter) -> String {
    let mut lines = vec![
        format!("dead letter {number}"),
        format!("  reason     {}", printable(reason(letter))),
    ];
    if let Some(text) = &letter.text {
        lines.push(format!("  error      {}", printable(text)));
    }
    if let Some(queue) = &letter.queue {
        lines.push(format!("  queue      {}", printable(queue)));
    }
    if let Some(at) = letter.envelope.published_at {
        lines.push(format!("  published  {}", moment(at, 0)));
    }
    for (name, value) in &letter.envelope.headers {
        lines.push(format!(
            "  header     {}: {}",
            printable(name),
            printable(value)
        ));
    }
    let body = &letter.envelope.body;
    lines.push(format!("  body       {}", size(body.len() as u64)));
    lines.push(String::new());
    lines.push(pretty(body));
    lines.join("\n")
}

fn text(found: &FoundLetters) -> String {
    let queue = printable(&found.queue);
    if found.letters.is_empty() {
        return match found.count {
            0 => format!("there are no dead letters in `{queue}`"),
            count => format!(
                "none of the {} dead letters in `{queue}` is meant",
                grouped(count)
            ),
        };
    }
    let row = |(number, letter): &(u64, BrokerDeadLetter)| {
        let body = &letter.envelope.body;
        let text = letter.text.as_deref().unwrap_or_default();
        [
            number.to_string(),
            printable(reason(letter)),
            size(body.len() as u64),
            cut(&printable(&String::from_utf8_lossy(body))),
            printable(text),
        ]
    };
    let rows: Vec<[String; 5]> = found.letters.iter().map(row).collect();
    let mut text = table(["#", "REASON", "SIZE", "BODY", "ERROR"], &rows);
    if found.more {
        text += &format!(
            "\nthere are more than these {}: see --limit",
            grouped(found.letters.len() as u64)
        );
    }
    text
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
