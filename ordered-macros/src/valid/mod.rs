//! What the options and the function must be, beyond their form.

mod arguments;
mod options;
mod signature;

pub(crate) use options::options;
pub(crate) use signature::signature;
