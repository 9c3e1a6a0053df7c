//! Templates of notices, and how far each notice has come to whom.

use crate::codec::{tag, time};
use crate::{Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tactful_core::chat::Tag;
use tactful_core::standing::Channel;

/// A template as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Which notice.
    pub notice: String,
    /// Which version of its text.
    pub version: String,
    /// BCP 47 primary language.
    pub language: String,
    /// The operator's JSON.
    pub body: String,
    /// When it was taken in.
    pub made: Timestamp,
}

/// A notice on its way to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub account: Tag,
    /// Which notice.
    pub notice: String,
    /// Which version.
    pub version: String,
    /// How.
    pub channel: Channel,
    /// In which language.
    pub language: String,
    /// `queued`, `delivered`, `seen`, `failed`.
    pub state: String,
    /// When this state was reached.
    pub at: Timestamp,
    /// A hash of what the channel answered.
    pub proof: String,
}

/// How many deliveries stand how, by notice, version, channel and state.
pub type Progress = BTreeMap<(String, String, String, String), u64>;

impl Store {
    /// Keeps a template. Was there none of its notice, version and language? A version that people
    /// were shown must stay what it was, so none is replaced.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn put_template(&mut self, template: &Template) -> Result<bool, StoreError> {
        let new = self.engine.execute(
            "INSERT INTO notice_template (notice, version, language, body, made) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            &[
                template.notice.as_str().into(),
                template.version.as_str().into(),
                template.language.as_str().into(),
                template.body.as_str().into(),
                time(template.made),
            ],
        )?;
        Ok(new > 0)
    }

    /// All templates, by notice, version and language.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn templates(&mut self) -> Result<Vec<Template>, StoreError> {
        let rows = self.engine.query(
            "SELECT notice, version, language, body, made FROM notice_template \
             ORDER BY notice, version, language",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                Ok(Template {
                    notice: row.text(0)?.to_owned(),
                    version: row.text(1)?.to_owned(),
                    language: row.text(2)?.to_owned(),
                    body: row.text(3)?.to_owned(),
                    made: row.time(4)?,
                })
            })
            .collect()
    }

    /// Records how far deliveries have come. One that was delivered or seen does not go back.
    ///
    /// # Errors
    /// When the engine refuses; none is recorded then.
    pub fn put_deliveries(&mut self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        self.engine.transaction(|engine| {
            for one in deliveries {
                engine.execute(
                    "INSERT INTO delivery (shard, account, notice, version, channel, language, \
                     state, at, proof) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                     ON CONFLICT (shard, account, notice, version, channel) DO UPDATE SET \
                     language = excluded.language, state = excluded.state, at = excluded.at, \
                     proof = excluded.proof WHERE delivery.state IN ('queued', 'failed') \
                     OR (delivery.state = 'delivered' AND excluded.state = 'seen')",
                    &[
                        one.account.shard().into(),
                        tag(one.account),
                        one.notice.as_str().into(),
                        one.version.as_str().into(),
                        one.channel.as_str().into(),
                        one.language.as_str().into(),
                        one.state.as_str().into(),
                        time(one.at),
                        one.proof.as_str().into(),
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// How far the notices to an account have come.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn deliveries(&mut self, account: Tag) -> Result<Vec<Delivery>, StoreError> {
        let rows = self.engine.query(
            "SELECT notice, version, channel, language, state, at, proof FROM delivery \
             WHERE shard = $1 AND account = $2 ORDER BY notice, version, channel",
            &[account.shard().into(), tag(account)],
        )?;
        rows.iter()
            .map(|row| {
                let channel = Channel::parse(row.text(2)?);
                Ok(Delivery {
                    account,
                    notice: row.text(0)?.to_owned(),
                    version: row.text(1)?.to_owned(),
                    channel: channel.ok_or_else(|| {
                        StoreError::Corrupt("a channel of an unknown kind".into())
                    })?,
                    language: row.text(3)?.to_owned(),
                    state: row.text(4)?.to_owned(),
                    at: row.time(5)?,
                    proof: row.text(6)?.to_owned(),
                })
            })
            .collect()
    }

    /// How many deliveries stand how.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn deliveries_by_state(&mut self) -> Result<Progress, StoreError> {
        let rows = self.engine.query(
            "SELECT notice, version, channel, state, count(*) FROM delivery \
             GROUP BY notice, version, channel, state",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                let [notice, version, channel, state] =
                    [row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?].map(str::to_owned);
                Ok(((notice, version, channel, state), row.integer(4)?.unsigned_abs()))
            })
            .collect()
    }
}
