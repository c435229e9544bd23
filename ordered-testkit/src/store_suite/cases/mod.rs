#![expect(missing_docs, reason = "the name of a case is its promise")]

pub mod grants;
pub mod hostile;
pub mod ids;
pub mod inspect;
pub mod leases;
pub mod mail;
pub mod quotas;
pub mod saves;
pub mod state;
pub mod sweep;
