//! The worker: takes deliveries from a transport, asks the store, and runs the handler.
