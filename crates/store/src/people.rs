//! Reading: what is held of a person.

use crate::codec::{self, COLUMNS, tag};
use crate::engine::{Engine, Value};
use crate::{ROWS_PER_ACCOUNT, Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeSet;
use tactful_core::chat::{Name, Region, Tag};
use tactful_core::ledger::Contribution;
use tactful_core::linking::{self, Memberships};
use tactful_core::policy::CrossPlatform;
use tactful_core::profile::{Member, Person};
use tactful_core::standing::{
    About, AccountFact, Channel, History, NoticeFact, PreferenceFact, Taste, Wish,
};
use tactful_core::taxonomy::Taxonomy;

impl Store {
    /// All that is known of an account besides its rows.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn history(&mut self, account: Tag) -> Result<History, StoreError> {
        history(&mut self.engine, &self.taxonomy, account)
    }

    /// The newest rows of an account, at most [`ROWS_PER_ACCOUNT`].
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn rows(&mut self, account: Tag) -> Result<Vec<Contribution>, StoreError> {
        rows(&mut self.engine, &self.taxonomy, account)
    }

    /// The accounts that are one person's with this one, at an instant.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn linked(
        &mut self,
        account: Tag,
        now: Timestamp,
        cross_platform: CrossPlatform,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        if cross_platform == CrossPlatform::Never {
            return Ok(BTreeSet::from([account]));
        }
        let engine = std::cell::RefCell::new(&mut self.engine);
        linking::person(
            account,
            now,
            |account| memberships(*engine.borrow_mut(), account),
            |center| members(*engine.borrow_mut(), center),
        )
    }

    /// All that is held of the person whom an account belongs to, at an instant.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn person(
        &mut self,
        account: Tag,
        now: Timestamp,
        cross_platform: CrossPlatform,
    ) -> Result<Person, StoreError> {
        let mut person = Person::default();
        for account in self.linked(account, now, cross_platform)? {
            let rows = self.rows(account)?;
            let history = self.history(account)?;
            if let Some(platform) = self.platform(account)? {
                person.members.push(Member { account, platform, history });
            }
            person.rows.extend(rows);
        }
        Ok(person)
    }

    /// When an account was linked, into which center, and when it left.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn memberships(&mut self, account: Tag) -> Result<Memberships, StoreError> {
        memberships(&mut self.engine, account)
    }

    /// Every account of which anything is held, by tag.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn accounts(&mut self) -> Result<BTreeSet<Tag>, StoreError> {
        let rows = self.engine.query(
            "SELECT account FROM account_fact UNION SELECT account FROM contribution \
             UNION SELECT account FROM membership UNION SELECT account FROM preference",
            &[],
        )?;
        rows.iter().map(|row| row.tag(0)).collect()
    }

    /// The app of an account; `None` when nothing is held of it.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn platform(&mut self, account: Tag) -> Result<Option<Name>, StoreError> {
        const PLATFORM: [&str; 4] = [
            "SELECT platform FROM contribution WHERE shard = $1 AND account = $2 LIMIT 1",
            "SELECT platform FROM account_fact WHERE shard = $1 AND account = $2 LIMIT 1",
            "SELECT platform FROM membership WHERE shard = $1 AND account = $2 LIMIT 1",
            "SELECT platform FROM preference WHERE shard = $1 AND account = $2 LIMIT 1",
        ];
        for sql in PLATFORM {
            if let Some(row) = self.engine.query(sql, &key(account))?.first() {
                return row.name(0).map(Some);
            }
        }
        Ok(None)
    }
}

fn key(account: Tag) -> [Value; 2] {
    [account.shard().into(), tag(account)]
}

pub fn rows(
    engine: &mut Engine,
    taxonomy: &Taxonomy,
    account: Tag,
) -> Result<Vec<Contribution>, StoreError> {
    // Unseen at once, even if a writer that did not know of the seal put it there afterwards.
    const ROWS: &str = "SELECT account, source, event, interest, conversation, weight, stage, at, \
        platform, product, modality, policy, model FROM contribution c \
        WHERE shard = $1 AND account = $2 \
        AND NOT EXISTS (SELECT 1 FROM seal s \
        WHERE s.shard = c.shard AND s.conversation = c.conversation) \
        AND NOT EXISTS (SELECT 1 FROM forgotten f WHERE f.shard = c.shard AND f.target IN \
        (c.account, c.conversation, c.event, c.account || ':' || c.interest) AND f.until >= c.at) \
        ORDER BY at DESC, event, source, interest LIMIT $3";
    debug_assert!(ROWS.contains(COLUMNS));
    let [shard, account] = key(account);
    let most = i64::try_from(ROWS_PER_ACCOUNT).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for row in engine.query(ROWS, &[shard, account, most.into()])? {
        found.extend(codec::contribution(&row, taxonomy)?);
    }
    Ok(found)
}

/// All that is known of an account besides its rows, read at once: from a server that is one way there
/// and back. What stands in a column depends on the kind.
const HISTORY: &str = "SELECT CAST(0 AS BIGINT), at, region, language, birth_date, likely_minor \
    FROM account_fact WHERE shard = $1 AND account = $2 \
    UNION ALL SELECT CAST(1 AS BIGINT), delivered, notice, version, channel, CAST(0 AS BIGINT) \
    FROM notice WHERE shard = $1 AND account = $2 \
    UNION ALL SELECT CAST(2 AS BIGINT), at, wish, '', '', CAST(0 AS BIGINT) \
    FROM choice WHERE shard = $1 AND account = $2 \
    UNION ALL SELECT CAST(3 AS BIGINT), at, kind, subject, taste, CAST(0 AS BIGINT) \
    FROM preference WHERE shard = $1 AND account = $2 \
    UNION ALL SELECT CAST(4 AS BIGINT), until, '', '', '', CAST(0 AS BIGINT) \
    FROM forgotten WHERE shard = $1 AND target = $2";

pub fn history(
    engine: &mut Engine,
    taxonomy: &Taxonomy,
    account: Tag,
) -> Result<History, StoreError> {
    let mut history = History::default();
    for row in engine.query(HISTORY, &key(account))? {
        let (at, first, second, third) = (row.time(1)?, row.text(2)?, row.text(3)?, row.text(4)?);
        match row.integer(0)? {
            0 => history.facts.push(AccountFact {
                at,
                region: Region::new(first),
                language: (!second.is_empty()).then(|| second.to_owned()),
                birth_date: third.parse().ok(),
                likely_minor: match row.integer(5)? {
                    0 => Some(false),
                    1 => Some(true),
                    _ => None,
                },
            }),
            1 => {
                let Some(channel) = Channel::parse(third) else { continue };
                let (notice, version) = (first.to_owned(), second.to_owned());
                history.notices.push(NoticeFact { delivered: at, notice, version, channel });
            }
            2 => history.choices.extend(Wish::parse(first).map(|wish| (at, wish))),
            3 => {
                let about = match first {
                    "interest" => taxonomy.find(second).map(About::Interest),
                    _ => Some(About::Advertiser(second.to_owned())),
                };
                if let (Some(about), Some(taste)) = (about, Taste::parse(third)) {
                    history.preferences.push(PreferenceFact { at, about, taste });
                }
            }
            _ => history.forgotten = Some(at),
        }
    }
    Ok(history)
}

fn memberships(engine: &mut Engine, account: Tag) -> Result<Memberships, StoreError> {
    let key = key(account);
    let joined = engine
        .query("SELECT center, at FROM membership WHERE shard = $1 AND account = $2", &key)?;
    let left = engine.query("SELECT at FROM unlinking WHERE shard = $1 AND account = $2", &key)?;
    Ok(Memberships {
        joined: joined
            .iter()
            .map(|row| Ok((row.tag(0)?, row.time(1)?)))
            .collect::<Result<_, StoreError>>()?,
        left: left.iter().map(|row| row.time(0)).collect::<Result<_, _>>()?,
    })
}

fn members(engine: &mut Engine, center: Tag) -> Result<Vec<Tag>, StoreError> {
    engine
        .query("SELECT account FROM center WHERE shard = $1 AND center = $2", &key(center))?
        .iter()
        .map(|row| row.tag(0))
        .collect()
}
