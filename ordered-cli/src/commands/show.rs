use std::io::{self, Write};

use ordered_core::admin::{EpochSeq, StoredEvent, StoredKind};
use ordered_core::internal::readable::{moment, printable, size};
use ordered_core::protocol::{KeyView, Refusal};
use serde::de::IgnoredAny;

use super::export::line;
use crate::args::Show;
use crate::failure::Failure;
use crate::output::{Report, print};
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: &Show) -> Result<(), Failure> {
    let group = session.group().await?;
    let view = session.known(&group, &command.key).await?;
    let seq = command.seq.get();
    let mut found = None;
    for kind in [StoredKind::Held, StoredKind::Dead] {
        // That of the present epoch goes before those of earlier ones.
        let epochs: Vec<u64> = match kind {
            StoredKind::Held => vec![0],
            StoredKind::Dead => (0..=view.epoch).rev().collect(),
        };
        for epoch in epochs {
            let after: Option<EpochSeq> = match seq {
                0 if epoch == 0 => None,
                0 => Some((epoch - 1, u64::MAX)),
                seq => Some((epoch, seq - 1)),
            };
            let page = session.admin.stored(&group, &command.key, kind, after);
            let first = page.await?.into_iter().next();
            if let Some(event) = first.filter(|event| event.place == (epoch, seq)) {
                found = Some((kind, event));
                break;
            }
        }
        if found.is_some() {
            break;
        }
    }
    let Some((kind, event)) = found else {
        return Err(Failure::refused(format!(
            "{}: {}",
            printable(command.key.as_str()),
            Refusal::NoSuchEvent
        )));
    };
    if command.body {
        io::stdout().write_all(&event.envelope.body)?;
        return Ok(io::stdout().flush()?);
    }
    if command.json {
        let document = line(&group, &view, kind, &event);
        return print(&Report::new(&document, "")?, true);
    }
    print(&Report::new(&(), text(&view, kind, &event))?, false)
}

fn text(view: &KeyView, kind: StoredKind, event: &StoredEvent) -> String {
    let what = match kind {
        StoredKind::Held => "held",
        StoredKind::Dead => "dead letter",
    };
    let (epoch, seq) = event.place;
    let epoch = match kind {
        StoredKind::Dead if epoch != view.epoch => format!(" of epoch {epoch}"),
        _ => String::new(),
    };
    let mut lines = vec![
        format!("{} seq {seq}{epoch}", printable(&view.key)),
        format!("  {what}, since {}", moment(event.since, view.now)),
        format!("  id         {}", printable(&event.id)),
    ];
    if let Some(dead_letter) = &event.dead_letter {
        let replay = if dead_letter.replay {
            ", to be run again"
        } else {
            ""
        };
        lines.push(format!(
            "  cause      {}{replay}",
            dead_letter.cause.as_str()
        ));
        if !dead_letter.error.is_empty() {
            lines.push(format!("  error      {}", printable(&dead_letter.error)));
        }
        lines.push(format!("  attempts   {}", dead_letter.attempts));
    }
    if let Some(at) = event.envelope.published_at {
        lines.push(format!("  published  {}", moment(at, view.now)));
    }
    for (name, value) in &event.envelope.headers {
        lines.push(format!(
            "  header     {}: {}",
            printable(name),
            printable(value)
        ));
    }
    let body = &event.envelope.body;
    lines.push(format!("  body       {}", size(body.len() as u64)));
    lines.push(String::new());
    lines.push(pretty(body));
    lines.join("\n")
}

/// JSON with its fields on lines of their own; other text as it is; bytes with what is no text as escapes.
pub(super) fn pretty(body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else {
        return body.escape_ascii().to_string();
    };
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return printable_lines(&indented(text));
    }
    printable_lines(text)
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// JSON, which is not parsed, so that every number and field stays as it is.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_string {
            out.push(letter);
            is_string = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            continue;
        }
        let new_line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        };
        match letter {
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                let is_empty = letters.next_if(|next| matches!(next, '}' | ']'));
                if let Some(end) = is_empty {
                    out.push(end);
                    continue;
                }
                depth += 1;
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => {
                is_string = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn json_is_laid_out_and_nothing_of_it_changes() {
        let body = br#" {"a":1e400, "a":{"b":[],"c" :[1,"x, {\"y\": \\"]},"d":{ }} "#;
        let expected = "{\n  \"a\": 1e400,\n  \"a\": {\n    \"b\": [],\n    \"c\": [\n      1,\n      \"x, {\\\"y\\\": \
                        \\\\\"\n    ]\n  },\n  \"d\": {}\n}";
        assert_eq!(pretty(body), expected);
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_is() {
        assert_eq!(pretty(b"{\"a\": \x1b[2J"), "{\"a\": \\u{1b}[2J");
        assert_eq!(pretty(&[0xff, b'a']), "\\xffa");
    }
}
