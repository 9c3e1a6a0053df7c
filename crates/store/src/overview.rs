//! Counts for who runs the store: how many, by day and by region. None names an account.

use crate::codec::time;
use crate::{Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Accounts to which a notice was delivered on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Which notice.
    pub notice: String,
    /// Which version of its text.
    pub version: String,
    /// How.
    pub channel: String,
    /// Days since 1970 (UTC).
    pub day: i64,
    /// To how many accounts.
    pub accounts: u64,
}

/// How many accounts are in a region, and how many of them were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Where the accounts are now.
    pub region: String,
    /// All of them.
    pub accounts: u64,
    /// Those to whom a notice was delivered.
    pub told: u64,
    /// Those of them to whom it was delivered long enough ago.
    pub ready: u64,
}

impl Store {
    /// Deliveries of notices by day.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn notices_by_day(&mut self) -> Result<Vec<Delivered>, StoreError> {
        let rows = self.engine.query(
            "SELECT notice, version, channel, delivered / 86400000000, count(DISTINCT account) \
             FROM notice GROUP BY 1, 2, 3, 4 ORDER BY 4, 1, 2, 3",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                Ok(Delivered {
                    notice: row.text(0)?.to_owned(),
                    version: row.text(1)?.to_owned(),
                    channel: row.text(2)?.to_owned(),
                    day: row.integer(3)?,
                    accounts: row.integer(4)?.unsigned_abs(),
                })
            })
            .collect()
    }

    /// Accounts by the region that they are in now, with how many of them had a notice delivered
    /// from an instant on, and how many had one up to another.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn told_by_region(
        &mut self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Told>, StoreError> {
        let rows = self.engine.query(
            "SELECT f.region, count(DISTINCT f.account), count(DISTINCT CASE WHEN EXISTS ( \
                 SELECT 1 FROM notice n WHERE n.shard = f.shard AND n.account = f.account \
                 AND n.delivered >= $1) THEN f.account END), \
             count(DISTINCT CASE WHEN EXISTS (SELECT 1 FROM notice n WHERE n.shard = f.shard \
                 AND n.account = f.account AND n.delivered >= $1 AND n.delivered <= $2) \
                 THEN f.account END) \
             FROM account_fact f WHERE f.region <> '' AND NOT EXISTS ( \
                 SELECT 1 FROM account_fact g WHERE g.shard = f.shard AND g.account = f.account \
                 AND g.region <> '' AND (g.at > f.at OR (g.at = f.at AND g.region > f.region))) \
             GROUP BY f.region ORDER BY f.region",
            &[time(since), time(until)],
        )?;
        rows.iter()
            .map(|row| {
                Ok(Told {
                    region: row.text(0)?.to_owned(),
                    accounts: row.integer(1)?.unsigned_abs(),
                    told: row.integer(2)?.unsigned_abs(),
                    ready: row.integer(3)?.unsigned_abs(),
                })
            })
            .collect()
    }

    /// What each campaign spent on each day: (days since 1970, millionths of its currency).
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn spent_by_day(&mut self) -> Result<BTreeMap<String, Vec<(i64, u64)>>, StoreError> {
        let rows = self
            .engine
            .query("SELECT campaign, day, micros FROM spent ORDER BY campaign, day", &[])?;
        let mut spent: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
        for row in &rows {
            let day = (row.integer(1)?, row.integer(2)?.unsigned_abs());
            spent.entry(row.text(0)?.to_owned()).or_default().push(day);
        }
        Ok(spent)
    }
}
