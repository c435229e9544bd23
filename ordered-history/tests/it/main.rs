//! Histories of several processes, whose commits are written late or never.

mod ahead;
mod orders;
mod sequence;
mod skipped;
mod support;
