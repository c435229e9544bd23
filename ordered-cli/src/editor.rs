use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Opens a text in the editor that VISUAL or EDITOR names, and returns what it was left as.
pub(crate) fn edit(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let Some(editor) = set("VISUAL").or_else(|| set("EDITOR")) else {
        return Err(Failure::Usage(
            "which editor? Set VISUAL or EDITOR, or give the new body with --payload".into(),
        ));
    };
    let failed = |error: io::Error| Failure::File(format!("the body cannot be edited: {error}"));
    let scratch = Scratch::new(text).map_err(failed)?;
    // Such as `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program).args(words).arg(&scratch.0).status();
    let status = status.map_err(|error| {
        Failure::Usage(format!("the editor `{editor}` cannot be started: {error}"))
    })?;
    if !status.success() {
        return Err(Failure::refused(format!(
            "the editor ended with {status}, and nothing was changed"
        )));
    }
    fs::read(&scratch.0).map_err(failed)
}

/// A file that nobody else may read, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(text: &[u8]) -> io::Result<Self> {
        let name = format!("ordered-{}.json", std::process::id());
        let path = env::temp_dir().join(name);
        let mut file = private(&path)?;
        let scratch = Self(path);
        file.write_all(text)?;
        Ok(scratch)
    }
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
