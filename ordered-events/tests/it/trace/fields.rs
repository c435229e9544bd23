//! Without any exporter: the span of a run says which event it is, and of which trace.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::support::{SPAN, TRACE, event, handle};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_line_of_the_handler_says_of_which_event_and_trace_it_speaks() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let parent = format!("00-{TRACE}-{SPAN}-01");
    handle(vec![
        event(1, &[("traceparent", &parent)]),
        event(2, &[("traceparent", "what is this")]),
    ])
    .await;
    drop(guard);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let of_handler: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("at work"))
        .collect();
    let [first, second] = of_handler[..] else {
        panic!("two lines, not: {log}");
    };
    let place = |seq: u64| {
        format!("handle{{group=\"traced\" key=\"k\" seq={seq} event_id=\"e{seq}\" attempt=1")
    };
    let first_span = format!("{} trace_id={TRACE} parent_span_id={SPAN}", place(1));
    assert!(first.contains(&first_span), "{first}");
    assert!(second.contains(&place(2)), "{second}");
    assert!(!second.contains("trace_id"), "{second}");
}
