//! Events that come in an envelope of their own: what the envelope says, and what is in it.

mod cloud_event;
mod sns;

pub use cloud_event::{CloudEvent, cloud_event, cloud_event_id};
pub use sns::sns_message;
