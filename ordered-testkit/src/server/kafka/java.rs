use std::path::{Path, PathBuf};
use std::process::Command;

use super::ServerError;

pub(super) const INSTALL: &str =
    "scripts/install-servers (in the workspace's folder; it needs Java 17 and Maven)";
/// Where the script puts the broker's archives, seen from the folder of the workspace.
const PLACE: &str = "target/servers/kafka/lib";
/// Small, and quick to start: it serves one test, or those of one process.
const JAVA: [&str; 5] = [
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
];
/// As fast as brokers are.
const OPTIMIZED: [&str; 2] = ["-Xms1g", "-Xmx1g"];

/// Java with the archives of the broker.
pub(super) fn command(folder: &Path, optimized: bool) -> Result<Command, ServerError> {
    let library = library().ok_or_else(|| not_installed(PLACE))?;
    let mut command = Command::new("java");
    command.args(if optimized { &OPTIMIZED[..] } else { &JAVA[..] });
    let archive = library.join("../kafka.jsa");
    if archive.is_file() {
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
    }
    command.arg("-cp").arg(library.join("*")).arg(format!(
        "-Dlog4j2.configurationFile={}",
        folder.join("log4j2.xml").display()
    ));
    Ok(command)
}

/// Where the broker's archives are.
pub(super) fn library() -> Option<PathBuf> {
    let is_there = |folder: &PathBuf| folder.is_dir();
    let named = std::env::var_os("ORDERED_KAFKA_LIB").map(PathBuf::from);
    named.filter(is_there).or_else(|| {
        let here = std::env::current_dir().unwrap_or_default();
        let mut places = here.ancestors().map(|folder: &Path| folder.join(PLACE));
        places.find(is_there)
    })
}

pub(super) fn not_installed(program: &str) -> ServerError {
    ServerError::NotInstalled {
        program: program.to_owned(),
        install: INSTALL,
    }
}
