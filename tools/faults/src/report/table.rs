use super::Report;

/// The first two lines of the table, in Markdown.
#[must_use]
pub fn heading() -> String {
    "| fault | injected | events | lost | reordered | doubled | overlapped | run again | longest stall | of one key | \
     explained by, in seconds |\n\
     |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
        .into()
}

/// One line of it.
#[must_use]
pub fn row(report: &Report) -> String {
    let seconds =
        |milliseconds: u64| format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100);
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        report.fault,
        report.injected,
        report.events,
        report.lost,
        report.reordered,
        report.doubled,
        report.overlapped,
        report.run_again,
        seconds(report.longest_stall_ms),
        seconds(report.longest_stall_of_a_key_ms),
        report.explained_by,
    )
}
