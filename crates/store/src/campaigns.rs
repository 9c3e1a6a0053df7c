//! What is said of campaigns beside their ads, and what came of them.

use crate::codec::{tag, time};
use crate::inventory::{Shown, charge};
use crate::{Store, StoreError};
use std::collections::BTreeMap;

impl Store {
    /// Keeps what is said of a campaign; what was said before is replaced.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn put_campaign(&mut self, campaign: &str, body: &str) -> Result<(), StoreError> {
        self.engine.execute(
            "INSERT INTO campaign (campaign, body) VALUES ($1, $2) \
             ON CONFLICT (campaign) DO UPDATE SET body = excluded.body",
            &[campaign.into(), body.into()],
        )?;
        Ok(())
    }

    /// What is said of each campaign, by its id.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn campaigns(&mut self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = self.engine.query("SELECT campaign, body FROM campaign", &[])?;
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
    }

    /// Records clicks, and what they cost. One that was recorded before is not counted or charged
    /// again.
    ///
    /// # Errors
    /// When the engine refuses; none is recorded then.
    pub fn click(&mut self, clicks: &[Shown]) -> Result<(), StoreError> {
        self.engine.transaction(|engine| {
            for click in clicks {
                engine.execute(
                    "INSERT INTO click (shard, account, slot, item, at) \
                     SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), \
                     CAST($4 AS TEXT), CAST($5 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM \
                     forgotten WHERE shard = $1 AND target = $2 AND until >= $5) \
                     ON CONFLICT DO NOTHING",
                    &[
                        click.account.shard().into(),
                        tag(click.account),
                        tag(click.slot),
                        click.item.as_str().into(),
                        time(click.at),
                    ],
                )?;
            }
            charge(engine, clicks)
        })
    }

    /// Of each item that was shown or clicked: to how many accounts and how often it was shown, and
    /// how often it was clicked.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn clicks(&mut self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = self.engine.query("SELECT item, count(*) FROM click GROUP BY item", &[])?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.integer(1)?.unsigned_abs())))
            .collect()
    }

    /// To how many accounts any of these items was shown.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn reach(&mut self, items: &[String]) -> Result<u64, StoreError> {
        let mut people = std::collections::BTreeSet::new();
        for item in items {
            let sql = "SELECT DISTINCT account FROM shown WHERE item = $1";
            for row in self.engine.query(sql, &[item.as_str().into()])? {
                people.insert(row.tag(0)?);
            }
        }
        Ok(people.len() as u64)
    }
}
