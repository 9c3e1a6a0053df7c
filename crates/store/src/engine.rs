//! Two engines that speak the same SQL.
//!
//! Everything above this module is written once: statements have `$1` placeholders that stand in
//! order, values are text or 64-bit integers.

mod postgresql;
mod sqlite;

pub use postgresql::Postgresql;
pub use sqlite::{Sqlite, make_private};

use crate::StoreError;

/// A value in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// TEXT
    Text(String),
    /// BIGINT
    Integer(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<u16> for Value {
    fn from(integer: u16) -> Self {
        Self::Integer(i64::from(integer))
    }
}

/// One row that was read. Columns are asked for by place.
pub struct Row(pub Vec<Value>);

impl Row {
    /// The text of a column.
    ///
    /// # Errors
    /// When it is not text.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(StoreError::Corrupt(format!("column {column} is not text"))),
        }
    }

    /// The integer of a column.
    ///
    /// # Errors
    /// When it is none.
    pub fn integer(&self, column: usize) -> Result<i64, StoreError> {
        match self.0.get(column) {
            Some(Value::Integer(integer)) => Ok(*integer),
            _ => Err(StoreError::Corrupt(format!("column {column} is no integer"))),
        }
    }
}

/// An open connection to either engine.
pub enum Engine {
    /// One file.
    Sqlite(Sqlite),
    /// A server.
    Postgresql(Box<Postgresql>),
}

impl Engine {
    /// Runs several statements without values.
    pub fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.script(sql),
            Self::Postgresql(postgresql) => postgresql.script(sql),
        }
    }

    /// Empties what an engine keeps beside its rows, where that may still hold what was deleted.
    pub fn empty_log(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.empty_log(),
            Self::Postgresql(_) => Ok(()),
        }
    }

    /// Runs one statement; gives the number of rows that it changed.
    pub fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(sql, values),
            Self::Postgresql(postgresql) => postgresql.execute(sql, values),
        }
    }

    /// Reads rows.
    pub fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(sql, values),
            Self::Postgresql(postgresql) => postgresql.query(sql, values),
        }
    }

    /// Is there any row?
    pub fn exists(&mut self, sql: &'static str, values: &[Value]) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.exists(sql, values),
            Self::Postgresql(postgresql) => postgresql.exists(sql, values),
        }
    }

    /// Runs `work` in one transaction: all of it lasts, or none.
    pub fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.script(match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgresql(_) => "BEGIN",
        })?;
        match work(self) {
            Ok(done) => {
                self.script("COMMIT")?;
                Ok(done)
            }
            Err(error) => {
                // The first error is the one that matters; a lost connection rolls back by itself.
                let _ = self.script("ROLLBACK");
                Err(error)
            }
        }
    }
}
