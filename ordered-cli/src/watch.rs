use std::io::{self, IsTerminal};

use crate::args::ViewArgs;
use crate::failure::Failure;
use crate::output::{Report, print};

/// Clears the screen and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows the report once, or again and again. A store that is unavailable meanwhile is waited for.
pub(crate) async fn show(
    view_args: &ViewArgs,
    report: impl AsyncFn() -> Result<Report, Failure>,
) -> Result<(), Failure> {
    let Some(pace) = view_args.watch else {
        return print(&report().await?, view_args.json);
    };
    let clears = !view_args.json && io::stdout().is_terminal();
    let mut has_shown = false;
    loop {
        match report().await {
            Ok(report) => {
                if clears {
                    print!("{CLEAR}");
                } else if has_shown && !view_args.json {
                    println!();
                }
                print(&report, view_args.json)?;
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
