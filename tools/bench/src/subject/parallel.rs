//! Confluent's Parallel Consumer for Java, in the order of keys: the nearest to this framework that there is for Kafka.
//! It does not remember ids, and its state is in memory and in the metadata of the offsets.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::Job;
use crate::Failure;

/// Where `tools/bench/parallel-consumer/install` puts its archives.
const ARCHIVES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/servers/parallel-consumer"
);
const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/parallel-consumer/Subject.java"
);

/// Whether it can take part.
pub(crate) fn is_installed() -> bool {
    Path::new(ARCHIVES).is_dir()
}

/// This process becomes it, and so the runner measures it as any other.
pub(super) fn become_it(job: &Job) -> Failure {
    let servers = job.transport.trim_start_matches("kafka://");
    let mut java = Command::new("java");
    java.args([
        "-Xms256m",
        "-Xmx512m",
        "-cp",
        &format!("{ARCHIVES}/*"),
        SOURCE,
    ]);
    java.args([servers, &job.group, &job.queue]).exec().into()
}
