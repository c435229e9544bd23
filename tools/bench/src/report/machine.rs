use std::fs;

use serde::Serialize;

/// What it was measured on.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) model: String,
    pub(super) kernel: String,
    /// How busy it was at the start, by others.
    pub(super) load_average: String,
}

impl Machine {
    pub(super) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, model)| model);
        Self {
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            model: model.to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: read("/proc/loadavg").trim().to_owned(),
        }
    }
}
