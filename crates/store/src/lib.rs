//! Rows to and from two engines: SQLite (one file, the default) and PostgreSQL.
//!
//! Each public method of [`Store`] is one transaction, or one consistent reading. The conformance
//! suite in `tests/conformance/contract.rs` runs on both engines.

mod engine;
mod codec;
pub mod batch;
mod commit;
mod people;
pub mod inventory;
pub mod overview;
mod campaigns;
pub mod notices;
mod restoring;
mod upkeep;

use engine::{Engine, Postgresql, Sqlite};
use std::path::Path;
use std::sync::Arc;
use tactful_core::taxonomy::Taxonomy;

/// What can go wrong with a store. No message holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the data file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused.
    #[error("PostgreSQL: {}", reason(.0))]
    Postgresql(#[from] postgres::Error),
    /// A row is not what this version writes.
    #[error("the store holds what this version did not write: {0}")]
    Corrupt(String),
    /// The store belongs to another version or another key.
    #[error("{0}")]
    Mismatch(String),
}

/// PostgreSQL's own message without its detail, which may quote values of a row.
fn reason(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
}

/// The newest rows of an account that are looked at and kept: what bounds the bytes per person.
/// (About 400 bytes a row: 400 kB an account.)
pub const ROWS_PER_ACCOUNT: usize = 1024;

/// The steps from an empty store to the schema of this version, which is as many steps. A store
/// that an earlier version made is brought up when it is opened.
const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_facts.sql"),
    include_str!("../migrations/0002_notices_and_campaigns.sql"),
    include_str!("../migrations/0003_spent.sql"),
];

/// An open store. Every thread opens its own.
pub struct Store {
    engine: Engine,
    taxonomy: Arc<Taxonomy>,
}

const NOTE: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

impl Store {
    /// Opens a store, and makes its tables when it is new. `location` is a file's path or a
    /// `postgres://` URL.
    ///
    /// # Errors
    /// When it cannot be opened, or another version made it.
    pub fn open(location: &str, taxonomy: Arc<Taxonomy>) -> Result<Self, StoreError> {
        let engine =
            match location.starts_with("postgres://") || location.starts_with("postgresql://") {
                true => Engine::Postgresql(Box::new(Postgresql::open(location)?)),
                false => Engine::Sqlite(Sqlite::open(Path::new(location))?),
            };
        let mut store = Self { engine, taxonomy };
        store.migrate()?;
        Ok(store)
    }

    /// The taxonomy that its interests are of.
    pub fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let found = match &mut self.engine {
            Engine::Sqlite(_) => "SELECT count(*) FROM sqlite_master WHERE name = 'meta'",
            Engine::Postgresql(_) => {
                "SELECT count(*) FROM information_schema.tables \
                 WHERE table_name = 'meta' AND table_schema = current_schema()"
            }
        };
        // Most stores are as this version wants them: these are opened without waiting for a writer.
        let there = self.engine.query(found, &[])?;
        if there.first().map(|row| row.integer(0)).transpose()? == Some(1)
            && self.note("schema")?.is_some_and(|version| version == MIGRATIONS.len().to_string())
        {
            return Ok(());
        }
        self.engine.transaction(|engine| {
            if let Engine::Postgresql(_) = engine {
                // Two processes that start at once: one makes the tables, the other waits.
                engine.script("SELECT pg_advisory_xact_lock(7408)")?;
            }
            let there = engine.query(found, &[])?;
            let made = match there.first().map(|row| row.integer(0)).transpose()? {
                Some(0) | None => 0,
                Some(_) => {
                    let schema = "SELECT value FROM meta WHERE name = 'schema'";
                    let rows = engine.query(schema, &[])?;
                    let version = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or("");
                    let known = version.parse().ok().filter(|n| *n <= MIGRATIONS.len());
                    known.ok_or_else(|| {
                        StoreError::Mismatch(format!(
                            "the data has schema {version}, this version reads schema {}",
                            MIGRATIONS.len()
                        ))
                    })?
                }
            };
            for migration in &MIGRATIONS[made..] {
                engine.script(migration)?;
            }
            if made < MIGRATIONS.len() {
                engine.execute(
                    "INSERT INTO meta (name, value) VALUES ('schema', $1) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    &[MIGRATIONS.len().to_string().as_str().into()],
                )?;
            }
            Ok(())
        })
    }

    /// Reads several times of one state: SQLite locks its file once then, and not once a statement.
    /// Nothing may be written meanwhile.
    ///
    /// # Errors
    /// When the engine refuses, or `reading` does.
    pub fn at_once<T>(
        &mut self,
        reading: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.engine.script("BEGIN")?;
        let read = reading(self);
        // There is nothing to keep, so both ends are the same; this one also follows an error.
        self.engine.script("ROLLBACK")?;
        read
    }

    /// A note that is kept under a name: the policy in force, the mark of the key.
    pub fn note(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.engine.query("SELECT value FROM meta WHERE name = $1", &[name.into()])?;
        rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    /// Keeps a note.
    pub fn set_note(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.engine.execute(NOTE, &[name.into(), value.into()])?;
        Ok(())
    }

    /// Keeps a note, and gives the one that it replaces: nobody else's comes between.
    pub fn swap_note(&mut self, name: &str, value: &str) -> Result<Option<String>, StoreError> {
        self.engine.transaction(|engine| {
            // Where there is a note, this makes others who would change it wait.
            engine.execute("UPDATE meta SET value = value WHERE name = $1", &[name.into()])?;
            let rows = engine.query("SELECT value FROM meta WHERE name = $1", &[name.into()])?;
            let before = rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()?;
            engine.execute(NOTE, &[name.into(), value.into()])?;
            Ok(before)
        })
    }
}
