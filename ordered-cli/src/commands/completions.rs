use std::io;

use clap::CommandFactory;
use clap_complete::generate;

use crate::args::{Arguments, Completions};
use crate::failure::Failure;

/// Needs no store.
pub(crate) fn run(command: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(
        command.shell,
        &mut Arguments::command(),
        "ordered",
        &mut script,
    );
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(())
}
