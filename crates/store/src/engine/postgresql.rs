//! The engine for more than one machine.

use super::{Row, Value};
use crate::StoreError;
use postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use postgres::{Client, NoTls, Statement};
use std::collections::BTreeMap;

/// An open connection, with the statements that it has prepared.
pub struct Postgresql {
    client: Client,
    prepared: BTreeMap<&'static str, Statement>,
}

impl Postgresql {
    /// Connects; `url` is a libpq URL or key-value string.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        Ok(Self { client: Client::connect(url, NoTls)?, prepared: BTreeMap::new() })
    }

    pub(super) fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql)?)
    }

    fn prepare(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(sql)?;
        Ok(self.client.execute(&statement, &borrowed(values))?)
    }

    pub(super) fn exists(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<bool, StoreError> {
        let statement = self.prepare(sql)?;
        Ok(!self.client.query(&statement, &borrowed(values))?.is_empty())
    }

    pub(super) fn query(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(sql)?;
        let rows = self.client.query(&statement, &borrowed(values))?;
        rows.iter()
            .map(|row| {
                (0..row.len())
                    .map(|column| match *row.columns()[column].type_() {
                        Type::TEXT | Type::VARCHAR => Ok(Value::Text(row.try_get(column)?)),
                        _ => Ok(Value::Integer(row.try_get(column)?)),
                    })
                    .collect::<Result<_, StoreError>>()
                    .map(Row)
            })
            .collect()
    }
}

fn borrowed(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(kind, out),
            Self::Integer(integer) => integer.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TEXT | Type::VARCHAR | Type::INT8)
    }

    to_sql_checked!();
}
