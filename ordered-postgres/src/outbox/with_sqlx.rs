use sqlx::{PgConnection, Postgres};

use super::stage::{NOTIFY, STAGE, STAGE_BATCH};
use super::{Columns, Counted, OutboxTransaction};
use crate::error::PostgresError;

impl OutboxTransaction for PgConnection {
    async fn stage_columns(
        &mut self,
        columns: Columns<'_>,
        counted: &Counted<'_>,
    ) -> Result<Vec<i64>, PostgresError> {
        let seqs = sqlx::query_scalar(STAGE_BATCH)
            .bind(&counted.keys)
            .bind(&counted.counts)
            .bind(&counted.which)
            .bind(&counted.behind)
            .bind(columns.aggregate_types)
            .bind(columns.event_types)
            .bind(columns.payloads)
            .bind(columns.bodies)
            .bind(columns.headers)
            .bind(columns.traces)
            .bind(columns.ids)
            .fetch_one(self)
            .await?;
        Ok(seqs)
    }

    async fn stage_single(&mut self, columns: Columns<'_>) -> Result<i64, PostgresError> {
        let seq = sqlx::query_scalar(STAGE)
            .bind(columns.aggregate_types[0])
            .bind(columns.keys[0])
            .bind(columns.event_types[0])
            .bind(columns.payloads[0])
            .bind(columns.headers[0].as_deref())
            .bind(columns.traces[0])
            .bind(&*columns.ids[0])
            .bind(columns.bodies[0])
            .fetch_one(self)
            .await?;
        Ok(seq)
    }

    async fn notify(&mut self) -> Result<(), PostgresError> {
        sqlx::query(NOTIFY).execute(self).await?;
        Ok(())
    }
}

impl OutboxTransaction for sqlx::Transaction<'_, Postgres> {
    async fn stage_columns(
        &mut self,
        columns: Columns<'_>,
        counted: &Counted<'_>,
    ) -> Result<Vec<i64>, PostgresError> {
        (**self).stage_columns(columns, counted).await
    }

    async fn stage_single(&mut self, columns: Columns<'_>) -> Result<i64, PostgresError> {
        (**self).stage_single(columns).await
    }

    async fn notify(&mut self) -> Result<(), PostgresError> {
        (**self).notify().await
    }
}
