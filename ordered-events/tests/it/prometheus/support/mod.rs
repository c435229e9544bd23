pub(super) mod event_tally;
pub(super) mod load;
pub(super) mod page;
