//! Runs one statement on a connection of the pool, by the deadline of the request.

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::any::{Any, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, SqlStr};
use tokio::time::timeout_at;

use super::Pool;
use crate::store::deadline::deadline;

impl<'p> Executor<'p> for &'p Pool {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        // The rows are few. So the connection is free before the first one is handled.
        let all = in_time(async move {
            let mut connection = self.acquire().await?;
            let all: Vec<_> = connection.fetch_many(query).try_collect().await?;
            connection.release();
            Ok(all)
        });
        stream::once(all).map_ok(|all| stream::iter(all.into_iter().map(Ok))).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<AnyRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        Box::pin(async move {
            let rows: Vec<AnyRow> = self.fetch(query).try_collect().await?;
            Ok(rows.into_iter().next())
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(in_time(async move {
            let mut connection = self.acquire().await?;
            let statement = connection.prepare_with(sql, parameters).await?;
            connection.release();
            Ok(statement)
        }))
    }

    // The trait has it with the macros of sqlx.
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Any>, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(in_time(async move {
            let mut connection = self.acquire().await?;
            let described = connection.describe(sql).await?;
            connection.release();
            Ok(described)
        }))
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout_at(deadline(), work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
