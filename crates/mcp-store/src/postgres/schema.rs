//! The tables: made by the first node that starts, checked by every other.

use std::time::Duration;

use mcp_core::ConfigError;
use tokio::time::timeout;
use tokio_postgres::Transaction;

use super::pool::{Connections, describe};
use super::setup::Setup;

/// What leads from each version to the next. Nodes of the version before may still run: what they use must stay, so a
/// function that changes gets another name.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// How long making tables may take, with waiting for others who do the same.
const LONGEST: Duration = Duration::from_secs(30);

pub(super) async fn prepare(connections: &Connections, setup: &Setup) -> Result<(), ConfigError> {
    let prepared = timeout(LONGEST, async {
        let mut connection = connections.get(setup).await.map_err(|text| {
            ConfigError::new(
                "PostgreSQL cannot be reached: check the address, the credentials and TLS in its URL",
            )
            .because(text)
        })?;
        let transaction = connection.transaction().await.map_err(|error| failed(&error))?;
        check(&transaction).await?;
        migrate(&transaction, &setup.schema).await?;
        transaction.commit().await.map_err(|error| failed(&error))
    });
    prepared
        .await
        .unwrap_or_else(|_| Err(ConfigError::new("PostgreSQL does not get its tables ready in 30 s")))
}

fn failed(error: &tokio_postgres::Error) -> ConfigError {
    ConfigError::new(
        "the tables in PostgreSQL cannot be made or read: let the user of the URL create the schema, or create it for them",
    )
    .because(describe(error))
}

async fn check(transaction: &Transaction<'_>) -> Result<(), ConfigError> {
    let row = transaction
        .query_one("SELECT current_setting('server_version_num')::integer, current_setting('fsync')", &[])
        .await
        .map_err(|error| failed(&error))?;
    let version: i32 = row.try_get(0).map_err(|error| failed(&error))?;
    let fsync: &str = row.try_get(1).map_err(|error| failed(&error))?;
    if version < 150_000 {
        return Err(ConfigError::new(format!(
            "PostgreSQL is of version {}: 15 or newer is needed",
            version / 10_000
        )));
    }
    if fsync != "on" {
        return Err(ConfigError::new("PostgreSQL may lose what it has acknowledged: turn fsync on"));
    }
    Ok(())
}

async fn migrate(transaction: &Transaction<'_>, schema: &str) -> Result<(), ConfigError> {
    let failed = |error: tokio_postgres::Error| failed(&error);
    // One at a time; the lock goes with the transaction.
    let lock = "SET LOCAL lock_timeout = '30s'; SET LOCAL statement_timeout = '30s'";
    transaction.batch_execute(lock).await.map_err(failed)?;
    transaction
        .query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7019))", &[&schema])
        .await
        .map_err(failed)?;
    let exists = "SELECT to_regnamespace($1) IS NOT NULL, to_regclass($2) IS NOT NULL";
    let (namespace, table) = (format!("\"{schema}\""), format!("\"{schema}\".version"));
    let row = transaction.query_one(exists, &[&namespace, &table]).await.map_err(failed)?;
    let (has_schema, has_version): (bool, bool) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    if !has_schema {
        transaction.batch_execute(&format!("CREATE SCHEMA {namespace}")).await.map_err(failed)?;
    }
    let mut version = 0;
    if has_version {
        let row =
            transaction.query_one(&format!("SELECT version FROM {table}"), &[]).await.map_err(failed)?;
        version = row.try_get(0).map_err(failed)?;
    } else {
        let make = format!("CREATE TABLE {table} (version integer NOT NULL); INSERT INTO {table} VALUES (0)");
        transaction.batch_execute(&make).await.map_err(failed)?;
    }
    let Some(missing) = usize::try_from(version).ok().and_then(|version| STEPS.get(version..)) else {
        return Err(ConfigError::new(format!(
            "the tables in PostgreSQL are of version {version}, and this program knows {}: use the newer program",
            STEPS.len()
        )));
    };
    for step in missing {
        transaction.batch_execute(&step.replace("{schema}", &namespace)).await.map_err(failed)?;
        transaction
            .batch_execute(&format!("UPDATE {table} SET version = version + 1"))
            .await
            .map_err(failed)?;
    }
    Ok(())
}
