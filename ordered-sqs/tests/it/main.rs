//! SQS, against an emulator and against canned answers.

mod canned;
mod closing;
mod dead_letters;
mod fifo;
mod holding;
mod outage;
mod publisher_suite;
mod publishing;
mod queue;
mod redrive;
mod report;
mod scribe;
mod settling;
mod start;
mod suite;
mod worker;
