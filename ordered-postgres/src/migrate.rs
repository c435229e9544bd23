//! The tables, and whether they are there.

use tokio_postgres::Client;

use crate::error::{PostgresError, PostgresErrorKind};

/// One file of `migrations/`.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "tables",
        sql: include_str!("../migrations/0001_tables.sql"),
    },
    Migration {
        version: 2,
        name: "stage",
        sql: include_str!("../migrations/0002_stage.sql"),
    },
    Migration {
        version: 3,
        name: "stage_counted",
        sql: include_str!("../migrations/0003_stage_counted.sql"),
    },
    Migration {
        version: 4,
        name: "from_zero",
        sql: include_str!("../migrations/0004_from_zero.sql"),
    },
];

/// The version of the tables that this library works with.
pub const TABLES_VERSION: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Held while the tables are changed, so that several programs that start at once take turns.
const LOCK: i64 = 0x006f_7264_6572_6564;

const VERSIONS: &str = "create table if not exists ordered_migrations (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default clock_timestamp()
)";

/// Creates the tables and functions that are missing, in the first schema of the connection's search path, all or
/// nothing. Returns the versions that were applied. It may run any number of times, from several programs at once.
///
/// # Errors
/// When rights are missing, the server is a replica, or the tables are those of a later version.
///
/// # Cancel safety
/// A dropped future applies nothing, unless the server has committed already.
pub async fn migrate(client: &mut Client) -> Result<Vec<i32>, PostgresError> {
    let transaction = client.transaction().await?;
    transaction
        .query_typed(
            "select pg_advisory_xact_lock($1)",
            &[(&LOCK, tokio_postgres::types::Type::INT8)],
        )
        .await?;
    transaction.batch_execute(VERSIONS).await?;
    let rows = transaction
        .query_typed("select version from ordered_migrations", &[])
        .await?;
    let there: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    if let Some(version) = there.iter().find(|version| **version > TABLES_VERSION) {
        return Err(later(*version));
    }
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        if there.contains(&migration.version) {
            continue;
        }
        transaction.batch_execute(migration.sql).await?;
        transaction
            .query_typed(
                "insert into ordered_migrations (version, name) values ($1, $2)",
                &[
                    (&migration.version, tokio_postgres::types::Type::INT4),
                    (&migration.name, tokio_postgres::types::Type::TEXT),
                ],
            )
            .await?;
        applied.push(migration.version);
    }
    transaction.commit().await?;
    Ok(applied)
}

/// The SQL of all migrations, one after the other, for those who apply them with a tool of their own.
pub fn migrations() -> impl Iterator<Item = (i32, &'static str, &'static str)> {
    MIGRATIONS
        .iter()
        .map(|migration| (migration.version, migration.name, migration.sql))
}

/// Whether the tables are there, in the version of this library.
///
/// # Errors
/// [`PostgresErrorKind::NotMigrated`] or [`PostgresErrorKind::OtherVersion`], with what to do; and as every query.
pub async fn check_tables(client: &Client) -> Result<(), PostgresError> {
    let rows = client
        .query_typed("select max(version) from ordered_migrations", &[])
        .await?;
    check_version(rows.first().and_then(|row| row.get(0)))
}

/// Whether tables of this version are those of this library.
pub(crate) fn check_version(version: Option<i32>) -> Result<(), PostgresError> {
    match version {
        None => Err(PostgresError::new(
            PostgresErrorKind::NotMigrated,
            NOT_MIGRATED,
        )),
        Some(version) if version < TABLES_VERSION => Err(PostgresError::new(
            PostgresErrorKind::OtherVersion,
            format!(
                "the tables of `ordered` have version {version}, and this program needs {TABLES_VERSION}: run \
                 `ordered outbox migrate`, or `ordered_postgres::migrate`"
            ),
        )),
        Some(version) if version > TABLES_VERSION => Err(later(version)),
        Some(_) => Ok(()),
    }
}

pub(crate) const NOT_MIGRATED: &str = "the tables of `ordered` are missing: run `ordered outbox migrate`, or \
                                       `ordered_postgres::migrate`; if they lie in a schema of their own, put it into \
                                       the search path of the connection";

fn later(version: i32) -> PostgresError {
    PostgresError::new(
        PostgresErrorKind::OtherVersion,
        format!(
            "the tables of `ordered` have version {version}, and this program knows {TABLES_VERSION}: use a later \
             version of `ordered`"
        ),
    )
}
