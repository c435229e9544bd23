use tokio_postgres::types::Type;

use super::stage::{NOTIFY, STAGE, STAGE_BATCH};
use super::{Columns, Counted, OutboxTransaction};
use crate::error::PostgresError;

impl OutboxTransaction for tokio_postgres::Transaction<'_> {
    async fn stage_columns(
        &mut self,
        columns: Columns<'_>,
        counted: &Counted<'_>,
    ) -> Result<Vec<i64>, PostgresError> {
        let rows = self
            .query_typed(
                STAGE_BATCH,
                &[
                    (&counted.keys, Type::TEXT_ARRAY),
                    (&counted.counts, Type::INT8_ARRAY),
                    (&counted.which, Type::INT4_ARRAY),
                    (&counted.behind, Type::INT8_ARRAY),
                    (&columns.aggregate_types, Type::TEXT_ARRAY),
                    (&columns.event_types, Type::TEXT_ARRAY),
                    (&columns.payloads, Type::TEXT_ARRAY),
                    (&columns.bodies, Type::BYTEA_ARRAY),
                    (&columns.headers, Type::TEXT_ARRAY),
                    (&columns.traces, Type::TEXT_ARRAY),
                    (&columns.ids, Type::TEXT_ARRAY),
                ],
            )
            .await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    async fn stage_single(&mut self, columns: Columns<'_>) -> Result<i64, PostgresError> {
        // One round trip: the function keeps its plans, so that there is nothing to prepare here.
        let rows = self
            .query_typed(
                STAGE,
                &[
                    (&columns.aggregate_types[0], Type::TEXT),
                    (&columns.keys[0], Type::TEXT),
                    (&columns.event_types[0], Type::TEXT),
                    (&columns.payloads[0], Type::TEXT),
                    (&columns.headers[0], Type::TEXT),
                    (&columns.traces[0], Type::TEXT),
                    (&columns.ids[0], Type::TEXT),
                    (&columns.bodies[0], Type::BYTEA),
                ],
            )
            .await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    async fn notify(&mut self) -> Result<(), PostgresError> {
        Ok(self.batch_execute(NOTIFY).await?)
    }
}

/// Connections of a pool keep their prepared statements, which saves the server to read these each time.
impl OutboxTransaction for deadpool_postgres::Transaction<'_> {
    async fn stage_columns(
        &mut self,
        columns: Columns<'_>,
        counted: &Counted<'_>,
    ) -> Result<Vec<i64>, PostgresError> {
        let statement = self.prepare_cached(STAGE_BATCH).await?;
        let row = self
            .query_one(
                &statement,
                &[
                    &counted.keys,
                    &counted.counts,
                    &counted.which,
                    &counted.behind,
                    &columns.aggregate_types,
                    &columns.event_types,
                    &columns.payloads,
                    &columns.bodies,
                    &columns.headers,
                    &columns.traces,
                    &columns.ids,
                ],
            )
            .await?;
        Ok(row.get(0))
    }

    async fn stage_single(&mut self, columns: Columns<'_>) -> Result<i64, PostgresError> {
        let statement = self.prepare_cached(STAGE).await?;
        let row = self
            .query_one(
                &statement,
                &[
                    &columns.aggregate_types[0],
                    &columns.keys[0],
                    &columns.event_types[0],
                    &columns.payloads[0],
                    &columns.headers[0],
                    &columns.traces[0],
                    &columns.ids[0],
                    &columns.bodies[0],
                ],
            )
            .await?;
        Ok(row.get(0))
    }

    async fn notify(&mut self) -> Result<(), PostgresError> {
        OutboxTransaction::notify(&mut **self).await
    }
}
