mod failing;
mod holding;
mod invariants;
mod leases;
mod lost_replies;
mod once;
mod order;
mod scene;
