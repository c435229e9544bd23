//! The page of metrics: that it is served, that it adds up, and that the documents speak of what is on it.

mod adds_up;
mod documents;
mod server;
mod support;
