//! What is kept about the running of the store: counts, positions, expiry, dumps.

use crate::batch::Position;
use crate::codec::{tag, time};
use crate::engine::{Engine, Value, make_private};
use crate::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use tactful_core::chat::Tag;

/// Of a row of `contribution c`: it stands in a shut conversation, or was taken back.
macro_rules! unseen {
    () => {
        "EXISTS (SELECT 1 FROM seal s WHERE s.shard = c.shard AND s.conversation = c.conversation) \
         OR EXISTS (SELECT 1 FROM forgotten f WHERE f.shard = c.shard AND f.target IN \
         (c.account, c.conversation, c.event, c.account || ':' || c.interest) AND f.until >= c.at)"
    };
}

/// Takes out the rows that no reading sees.
pub(crate) const DELETE_UNSEEN: &str = concat!("DELETE FROM contribution AS c WHERE ", unseen!());

/// What a sweep took out, by table.
pub type Swept = BTreeMap<&'static str, u64>;

impl Store {
    /// How many events ended how, since the store was made.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn counters(&mut self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = self.engine.query("SELECT reason, events FROM counter", &[])?;
        rows.iter().map(|r| Ok((r.text(0)?.to_owned(), r.integer(1)?.unsigned_abs()))).collect()
    }

    /// What was deleted leaves the engine's log too.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn empty_log(&mut self) -> Result<(), StoreError> {
        self.engine.empty_log()
    }

    /// How far a log was taken in; `None` when it was never begun.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn position(&mut self, log: Tag) -> Result<Option<Position>, StoreError> {
        let rows = self
            .engine
            .query("SELECT position, complete FROM log_position WHERE log = $1", &[tag(log)])?;
        rows.first()
            .map(|row| {
                let position = row.integer(0)?.unsigned_abs();
                Ok(Position { log, position, complete: row.integer(1)? != 0 })
            })
            .transpose()
    }

    /// Takes out what has expired: rows and deletion marks past retention, seals past their own
    /// term, records of what was shown past retention.
    ///
    /// # Errors
    /// When the engine refuses; nothing is taken out then.
    pub fn sweep(&mut self, now: Timestamp, retention_days: u16) -> Result<Swept, StoreError> {
        let kept = SignedDuration::from_hours(24 * i64::from(retention_days));
        let before = time(now.checked_sub(kept).unwrap_or(Timestamp::MIN));
        let steps: [(&str, &str, Value); 5] = [
            ("contribution", "DELETE FROM contribution WHERE at <= $1", before.clone()),
            ("forgotten", "DELETE FROM forgotten WHERE until <= $1", before.clone()),
            ("shown", "DELETE FROM shown WHERE at <= $1", before.clone()),
            ("click", "DELETE FROM click WHERE at <= $1", before),
            ("seal", "DELETE FROM seal WHERE expires <= $1", time(now)),
        ];
        self.engine.transaction(|engine| {
            let mut swept = Swept::new();
            for (table, sql, until) in steps {
                swept.insert(table, engine.execute(sql, &[until])?);
            }
            Ok(swept)
        })
    }

    /// How many rows are held that no reading sees: of shut conversations, and of what was taken back.
    /// None, unless a writer that knew of neither put them there.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn held_unseen(&mut self) -> Result<u64, StoreError> {
        let rows = self
            .engine
            .query(concat!("SELECT count(*) FROM contribution c WHERE ", unseen!()), &[])?;
        Ok(rows.first().map_or(Ok(0), |row| row.integer(0))?.unsigned_abs())
    }

    /// Copies the store to a new file while others read and write it: one consistent state.
    ///
    /// # Errors
    /// When the file is there already, the engine refuses, or it is PostgreSQL, whose own tools
    /// (`pg_dump`) do this.
    pub fn back_up(&mut self, to: &str) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => {
                // A copy is for its owner alone, as what it is a copy of.
                make_private(std::path::Path::new(to));
                self.engine.execute("VACUUM INTO $1", &[to.into()])?;
                Ok(())
            }
            Engine::Postgresql(_) => Err(StoreError::Mismatch(
                "a PostgreSQL database is backed up by its own tools, such as pg_dump".to_owned(),
            )),
        }
    }

    /// Does the file hold together? Every page and every index is looked at.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&mut self) -> Result<(), StoreError> {
        if let Engine::Sqlite(_) = &self.engine {
            let found = self.engine.query("PRAGMA integrity_check", &[])?;
            match found.first().map(|row| row.text(0)).transpose()? {
                Some("ok") => {}
                _ => return Err(StoreError::Corrupt("the file is damaged".to_owned())),
            }
        }
        Ok(())
    }

    /// Every table with its columns, by name.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn columns(&mut self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let sql = match &self.engine {
            Engine::Sqlite(_) => {
                "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"
            }
            Engine::Postgresql(_) => {
                "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) \
                 FROM information_schema.columns WHERE table_schema = current_schema() \
                 ORDER BY table_name, ordinal_position"
            }
        };
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.engine.query(sql, &[])? {
            tables.entry(row.text(0)?.to_owned()).or_default().push(row.text(1)?.to_owned());
        }
        Ok(tables)
    }
}
