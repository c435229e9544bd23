//! SQS, against an emulator and against a fake.

mod closing;
mod dead_letters;
mod fifo;
mod holding;
mod outage;
mod publisher_suite;
mod publishing;
mod queue_check;
mod redrive;
mod settling;
mod start;
mod suite;
mod support;
mod worker;
