use super::database::{Driver, Limits, ServerState};
use crate::error::{PostgresError, PostgresErrorKind};
use crate::migrate::check_version;

/// The earliest version of the server, for its multiranges.
const EARLIEST: i32 = 140_000;

/// Whether an inbox can work here.
pub(super) async fn database<D: Driver>(
    pool: &D::Pool,
    limits: &Limits,
) -> Result<(), PostgresError> {
    let ServerState {
        server_version,
        is_replica,
        is_read_only,
        has_rights,
        tables_version,
    } = D::server_state(pool, limits).await?;
    if server_version < EARLIEST {
        return Err(PostgresError::new(
            PostgresErrorKind::OtherVersion,
            format!(
                "the server is Postgres {}, and the inbox needs 14 or later: upgrade it",
                server_version / 10_000
            ),
        ));
    }
    check_version(tables_version)?;
    if is_replica {
        return Err(PostgresError::new(
            PostgresErrorKind::ReadOnly,
            "the server is a replica, and the inbox writes: give the pool the address of the primary, or add \
             `target_session_attrs=read-write` to it",
        ));
    }
    if is_read_only {
        return Err(PostgresError::new(
            PostgresErrorKind::ReadOnly,
            "transactions are read-only by default here, and the inbox writes: set `default_transaction_read_only` to \
             off for this user and database",
        ));
    }
    if !has_rights {
        return Err(PostgresError::new(
            PostgresErrorKind::Denied,
            "the user lacks rights on the table `ordered_progress`: grant it `select, insert, update`",
        ));
    }
    Ok(())
}
