use std::io::{self, IsTerminal, Write};

use crate::args::VerbArgs;
use crate::failure::Failure;

/// Asks before something is destroyed. What it asks goes to the standard error, so that the output stays what it is.
pub(crate) fn confirm(verb_args: &VerbArgs, plan: &str) -> Result<(), Failure> {
    if verb_args.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "{plan}\nordered: nothing was changed, because there is no terminal to ask at: look with --dry-run, and do \
             it with --yes"
        )));
    }
    let mut error = io::stderr();
    write!(error, "{plan}\nGo on? [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::refused("nothing was changed")),
    }
}
