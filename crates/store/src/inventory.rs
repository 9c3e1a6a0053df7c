//! Items, what was shown, and what is owed for it.

use crate::codec::{tag, time};
use crate::engine::Engine;
use crate::{Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tactful_core::chat::Tag;
use tactful_core::reading::{Stage, Weight};
use tactful_core::taxonomy::Interest;

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// What the model found in an item's text.
pub type Found = Vec<(Interest, Weight, Stage)>;

/// An item as it is kept: the operator's JSON, and what the model found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredItem {
    /// The operator's id.
    pub item: String,
    /// The operator's JSON.
    pub body: String,
    /// What it is about; nothing, when it touches a protected subject.
    pub found: Found,
}

/// A slot that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// To whom.
    pub account: Tag,
    /// Which slot: a repeat of it counts once.
    pub slot: Tag,
    /// What.
    pub item: String,
    /// When.
    pub at: Timestamp,
    /// Of an ad: its campaign and what it owes, in millionths of its currency.
    pub charge: Option<(String, u64)>,
}

impl Store {
    /// Takes in items; one of the same id is replaced.
    ///
    /// # Errors
    /// When the engine refuses; none is there then.
    pub fn put_items(&mut self, items: &[StoredItem]) -> Result<(), StoreError> {
        let taxonomy = &self.taxonomy;
        self.engine.transaction(|engine| {
            for item in items {
                let found: Vec<String> = item
                    .found
                    .iter()
                    .map(|(interest, weight, stage)| {
                        format!("{} {} {}", taxonomy.id(*interest), weight.0, stage.as_str())
                    })
                    .collect();
                engine.execute(
                    "INSERT INTO item (item, body, interests) VALUES ($1, $2, $3) \
                     ON CONFLICT (item) DO UPDATE SET body = excluded.body, \
                     interests = excluded.interests",
                    &[item.item.as_str().into(), item.body.as_str().into(), found.join(",").into()],
                )?;
            }
            Ok(())
        })
    }

    /// All items, by id.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn items(&mut self) -> Result<Vec<StoredItem>, StoreError> {
        let rows = self.engine.query("SELECT item, body, interests FROM item", &[])?;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(StoredItem {
                item: row.text(0)?.to_owned(),
                body: row.text(1)?.to_owned(),
                found: self.found(row.text(2)?),
            });
        }
        items.sort_by(|a, b| a.item.cmp(&b.item));
        Ok(items)
    }

    /// What one item is about; `None` when there is no such item.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn item_interests(&mut self, item: &str) -> Result<Option<Found>, StoreError> {
        let rows =
            self.engine.query("SELECT interests FROM item WHERE item = $1", &[item.into()])?;
        rows.first().map(|row| Ok(self.found(row.text(0)?))).transpose()
    }

    fn found(&self, text: &str) -> Found {
        text.split(',')
            .filter_map(|one| {
                let mut parts = one.split(' ');
                let interest = self.taxonomy.find(parts.next()?)?;
                let weight = Weight(parts.next()?.parse().ok()?);
                Some((interest, weight, Stage::parse(parts.next()?)?))
            })
            .collect()
    }

    /// Takes an item away. Was it there?
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn remove_item(&mut self, item: &str) -> Result<bool, StoreError> {
        Ok(self.engine.execute("DELETE FROM item WHERE item = $1", &[item.into()])? > 0)
    }

    /// Records slots as shown. A slot that was recorded before is not counted or charged again.
    ///
    /// # Errors
    /// When the engine refuses; none is recorded then.
    pub fn show(&mut self, slots: &[Shown]) -> Result<(), StoreError> {
        self.engine.transaction(|engine| {
            for slot in slots {
                engine.execute(
                    "INSERT INTO shown (shard, account, slot, item, at) \
                     SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), \
                     CAST($4 AS TEXT), CAST($5 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM \
                     forgotten WHERE shard = $1 AND target = $2 AND until >= $5) \
                     ON CONFLICT DO NOTHING",
                    &[
                        slot.account.shard().into(),
                        tag(slot.account),
                        tag(slot.slot),
                        slot.item.as_str().into(),
                        time(slot.at),
                    ],
                )?;
            }
            charge(engine, slots)
        })
    }

    /// What was shown to these accounts from an instant on: (item, when).
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn shown_since(
        &mut self,
        accounts: impl IntoIterator<Item = Tag>,
        since: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut shown = Vec::new();
        for account in accounts {
            for row in self.engine.query(
                "SELECT item, at FROM shown WHERE shard = $1 AND account = $2 AND at >= $3",
                &[account.shard().into(), tag(account), time(since)],
            )? {
                shown.push((row.text(0)?.to_owned(), row.time(1)?));
            }
        }
        shown.sort();
        Ok(shown)
    }

    /// What these accounts clicked: (item, when).
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn clicked(
        &mut self,
        accounts: impl IntoIterator<Item = Tag>,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut clicked = Vec::new();
        for account in accounts {
            for row in self.engine.query(
                "SELECT item, at FROM click WHERE shard = $1 AND account = $2",
                &[account.shard().into(), tag(account)],
            )? {
                clicked.push((row.text(0)?.to_owned(), row.time(1)?));
            }
        }
        clicked.sort();
        Ok(clicked)
    }

    /// What each campaign has spent, in millionths of its currency.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn spent(&mut self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = self.engine.query(
            "SELECT campaign, CAST(sum(micros) AS BIGINT) FROM spent GROUP BY campaign",
            &[],
        )?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.integer(1)?.unsigned_abs())))
            .collect()
    }

    /// Of each item that was shown: to how many accounts, and how often.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn audiences(&mut self) -> Result<BTreeMap<String, (u64, u64)>, StoreError> {
        let rows = self.engine.query(
            "SELECT item, count(DISTINCT account), count(*) FROM shown GROUP BY item",
            &[],
        )?;
        let count = |n: i64| n.unsigned_abs();
        rows.iter()
            .map(|row| {
                Ok((row.text(0)?.to_owned(), (count(row.integer(1)?), count(row.integer(2)?))))
            })
            .collect()
    }
}

/// Charges what slots owe that were not charged before: in the order of the campaigns, so that two
/// writers do not wait for each other.
pub(crate) fn charge(engine: &mut Engine, slots: &[Shown]) -> Result<(), StoreError> {
    let mut owed: Vec<(&Shown, &(String, u64))> =
        slots.iter().filter_map(|slot| Some((slot, slot.charge.as_ref()?))).collect();
    owed.sort_by_key(|(_, (campaign, _))| campaign);
    for (slot, (campaign, micros)) in owed {
        let micros = i64::try_from(*micros).unwrap_or(i64::MAX);
        let new = engine.execute(
            "INSERT INTO charge (slot, campaign, micros, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            &[tag(slot.slot), campaign.as_str().into(), micros.into(), time(slot.at)],
        )?;
        if new > 0 {
            let day = slot.at.as_microsecond() / MICROSECONDS_A_DAY;
            engine.execute(
                "INSERT INTO spent (campaign, day, micros) VALUES ($1, $2, $3) \
                 ON CONFLICT (campaign, day) DO UPDATE SET micros = spent.micros + excluded.micros",
                &[campaign.as_str().into(), day.into(), micros.into()],
            )?;
        }
    }
    Ok(())
}
