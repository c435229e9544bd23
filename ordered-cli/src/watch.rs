use std::io::{self, IsTerminal};

use crate::args::Viewing;
use crate::failure::Failure;
use crate::output::{Report, print};

/// Clears the screen and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows the report once, or again and again. A store that is unavailable meanwhile is waited for.
pub(crate) async fn show(
    viewing: &Viewing,
    report: impl AsyncFn() -> Result<Report, Failure>,
) -> Result<(), Failure> {
    let Some(pace) = viewing.watch else {
        return print(&report().await?, viewing.json);
    };
    let clears = !viewing.json && io::stdout().is_terminal();
    let mut has_shown = false;
    loop {
        match report().await {
            Ok(report) => {
                if clears {
                    print!("{CLEAR}");
                } else if has_shown && !viewing.json {
                    println!();
                }
                print(&report, viewing.json)?;
                has_shown = true;
            }
            Err(failure) if has_shown && failure.is_passing() => {
                eprintln!("ordered: {}", failure.text().unwrap_or_default());
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(pace).await;
    }
}
