//! The example of the payments, as its users run it.

use std::process::Command;

use crate::support::processes::program_named;

#[tokio::test]
async fn the_demonstration_ends_with_equal_sums() {
    let mut command = Command::new(program_named("payments"));
    command.args(["--demo", "--transfers", "600", "--accounts", "10"]);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let ended = ended.await.unwrap();
    let (told, failed) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    assert!(ended.status.success(), "{told}{failed}");
    for words in [
        "A worker is killed",
        "A relay is killed",
        "The service is killed",
        "Redis is flushed",
        "10,000.00 before, 10,000.00 after: equal to the cent.",
    ] {
        assert!(told.contains(words), "{words:?} is missing in:\n{told}");
    }
}
