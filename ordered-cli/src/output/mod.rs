//! What is printed: for people, or as JSON.

mod table;

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;
pub(crate) use table::table;

/// What a command has to say.
pub(crate) struct Report {
    json: String,
    text: String,
}

impl Report {
    pub(crate) fn new(document: &impl Serialize, text: impl Into<String>) -> Result<Self, Failure> {
        Ok(Self {
            json: json(document)?,
            text: text.into(),
        })
    }
}

/// A document on one line.
pub(crate) fn json(document: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(document).map_err(|error| Failure::Output(error.into()))
}

pub(crate) fn print(report: &Report, as_json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let line = if as_json { &report.json } else { &report.text };
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
