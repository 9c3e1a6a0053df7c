//! What people took back after a backup was made, brought into what was restored from it.

use crate::engine::Engine;
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

/// What goes by it: the rows that no reading may see, and what an account's deletion empties.
const GOES: [&str; 10] = [
    "DELETE FROM contribution AS c WHERE EXISTS (SELECT 1 FROM seal s WHERE s.shard = c.shard \
     AND s.conversation = c.conversation) OR EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = c.shard AND f.target IN (c.account, c.conversation, c.event, \
     c.account || ':' || c.interest) AND f.until >= c.at)",
    "DELETE FROM account_fact AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM notice AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.delivered)",
    "DELETE FROM choice AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM preference AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM unlinking AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM shown AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM click AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM delivery AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
    "DELETE FROM membership AS t WHERE EXISTS (SELECT 1 FROM forgotten f \
     WHERE f.shard = t.shard AND f.target = t.account AND f.until >= t.at)",
];

/// A center's list of an account that is a member no more.
const CENTERS: &str = "DELETE FROM center AS t WHERE NOT EXISTS (SELECT 1 FROM membership m \
    WHERE m.account = t.account AND m.center = t.center)";

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
            for sql in TAKEN_OVER.into_iter().chain(GOES).chain([CENTERS]) {
                engine.execute(sql, &[])?;
            }
            Ok(())
        });
        self.engine.execute("DETACH DATABASE later", &[])?;
        taken
    }
}
