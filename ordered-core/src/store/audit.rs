use serde::{Deserialize, Serialize};

use crate::protocol::Millis;

/// Who does something to a store, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operator {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

/// What an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, by the store's clock.
    pub at: Millis,
    /// Who, and why.
    #[serde(flatten)]
    pub operator: Operator,
    /// To which key; `None` for the whole group.
    pub key: Option<String>,
    /// The verb with its arguments, as the command line writes it.
    pub verb: String,
    /// What it did.
    pub outcome: String,
}
