//! What operators see and do, over the store in memory.

mod bulk;
mod causes;
mod ownership;
mod positions;
mod verbs;
mod views;
