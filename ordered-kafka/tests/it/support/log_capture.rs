//! What is logged on the thread of a test, and by the threads that it starts.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

/// What all threads log that listen to nothing of their own.
static EVERYWHERE: LazyLock<LogCapture> = LazyLock::new(|| {
    let logs = LogCapture::default();
    tracing::subscriber::set_global_default(logs.subscriber()).expect("nobody else has set one");
    logs
});

/// The lines that were logged.
#[derive(Clone, Default)]
pub(crate) struct LogCapture(Arc<Mutex<Vec<u8>>>);

impl LogCapture {
    /// Listens to what this thread logs from now on, as long as the guard lives.
    pub(crate) fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let logs = Self::default();
        let guard = tracing::subscriber::set_default(logs.subscriber());
        (logs, guard)
    }

    /// Listens to what all threads log from the first call on. Other tests log there, too.
    pub(crate) fn everywhere() -> &'static Self {
        &EVERYWHERE
    }

    fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        tracing_subscriber::fmt()
            .with_max_level(Level::INFO)
            .with_ansi(false)
            .with_writer(self.clone())
            .finish()
    }

    /// The lines with all of these words.
    pub(crate) fn lines(&self, words: &[&str]) -> Vec<String> {
        let text = self.text();
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(has_all).map(str::to_owned).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for LogCapture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogCapture {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
