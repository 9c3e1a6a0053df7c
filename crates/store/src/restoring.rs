//! What people took back after a backup was made, brought into what was restored from it.

use crate::commit::empty;
use crate::engine::Engine;
use crate::upkeep::DELETE_UNSEEN;
use crate::{Store, StoreError};

/// What people said themselves, and what shut their conversations: taken over as it stands.
const TAKEN_OVER: [&str; 5] = [
    "INSERT INTO choice SELECT * FROM later.choice WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO preference SELECT * FROM later.preference WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO unlinking SELECT * FROM later.unlinking WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO seal SELECT * FROM later.seal WHERE true \
     ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires)",
    "INSERT INTO forgotten SELECT * FROM later.forgotten WHERE true \
     ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
];

impl Store {
    /// Makes what was deleted, shut, chosen, preferred or unlinked in another store of the same key
    /// and version hold in this one too.
    ///
    /// # Errors
    /// When the engine refuses, or it is PostgreSQL; nothing is changed then.
    pub fn take_over(&mut self, later: &str) -> Result<(), StoreError> {
        if matches!(self.engine, Engine::Postgresql(_)) {
            return Err(StoreError::Mismatch(
                "a PostgreSQL database is restored by its own tools, such as pg_restore".to_owned(),
            ));
        }
        self.engine.execute("ATTACH DATABASE $1 AS later", &[later.into()])?;
        let taken = self.engine.transaction(|engine| {
            for sql in TAKEN_OVER.into_iter().chain([DELETE_UNSEEN]) {
                engine.execute(sql, &[])?;
            }
            // A mark of less than an account names nothing that `empty` would take out.
            for row in engine.query("SELECT shard, target, until FROM later.forgotten", &[])? {
                empty(
                    engine,
                    &[row.integer(0)?.into(), row.text(1)?.into(), row.integer(2)?.into()],
                )?;
            }
            Ok(())
        });
        self.engine.execute("DETACH DATABASE later", &[])?;
        taken
    }
}
