//! The embedded engine: one file beside its write-ahead log.

use super::{Row, Value};
use crate::StoreError;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use std::path::Path;

/// An open SQLite file.
pub struct Sqlite {
    connection: Connection,
}

/// WAL: readers do not wait for the writer. `synchronous = FULL`: what was committed survives a
/// power cut. `secure_delete`: what was deleted is overwritten, not only unlinked; the log beside the
/// file may hold it until [`Sqlite::empty_log`].
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA secure_delete = ON; PRAGMA busy_timeout = 10000; \
                       PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY";

impl Sqlite {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_private(path);
        let connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(PRAGMAS)?;
        Ok(Self { connection })
    }

    /// Brings what stands in the write-ahead log into the file, and empties the log; left for another
    /// time, where somebody reads of it.
    pub(super) fn empty_log(&mut self) -> Result<(), StoreError> {
        self.script(
            "PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 10000",
        )
    }

    pub(super) fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch(sql)?)
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(values))? as u64)
    }

    pub(super) fn exists(&mut self, sql: &str, values: &[Value]) -> Result<bool, StoreError> {
        Ok(self.connection.prepare_cached(sql)?.exists(params_from_iter(values))?)
    }

    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(match row.get_ref(column)? {
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Integer(integer) => Value::Integer(integer),
                    _ => return Err(StoreError::Corrupt(format!("column {column} is empty"))),
                });
            }
            found.push(Row(values));
        }
        Ok(found)
    }
}

/// A new file is for this user alone; those that the engine puts beside it follow it. What goes wrong
/// here the engine meets, and says.
pub fn make_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.write(true).create_new(true).open(path);
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Integer(integer) => ToSqlOutput::Borrowed(ValueRef::Integer(*integer)),
        })
    }
}
