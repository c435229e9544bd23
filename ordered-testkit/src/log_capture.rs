use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tracing::subscriber::DefaultGuard;
use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

/// What all threads log that have no capture of their own.
static EVERYWHERE: LazyLock<LogCapture> = LazyLock::new(|| {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.subscriber())
        .expect("`LogCapture::everywhere` sets the global subscriber, and something else has set one before");
    LogCapture {
        lines,
        _guard: None,
    }
});

/// What is logged at level info and above, for a test to read.
#[derive(Debug)]
pub struct LogCapture {
    lines: Lines,
    _guard: Option<DefaultGuard>,
}

impl LogCapture {
    /// Captures what this thread logs until the capture is dropped. A test whose runtime has one thread sees all of its
    /// workers.
    #[must_use]
    pub fn of_this_thread() -> Self {
        let lines = Lines::default();
        let guard = tracing::subscriber::set_default(lines.subscriber());
        Self {
            lines,
            _guard: Some(guard),
        }
    }

    /// Captures what all threads log from the first call on; other tests of the process are among them.
    ///
    /// # Panics
    /// When the process has another global subscriber.
    #[must_use]
    pub fn everywhere() -> &'static Self {
        &EVERYWHERE
    }

    /// All that was logged.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The lines that have all of these words.
    #[must_use]
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        let text = self.text();
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(has_all).map(str::to_owned).collect()
    }
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(Level::INFO)
            .with_writer(self.clone())
            .finish()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        Ok(bytes.len())
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
