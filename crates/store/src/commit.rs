//! Writing: one transaction a batch.

use crate::batch::{Batch, Seal};
use crate::codec::{self, tag, time};
use crate::engine::{Engine, Value};
use crate::{ROWS_PER_ACCOUNT, Store, StoreError, people};
use jiff::Timestamp;
use std::collections::BTreeSet;
use tactful_core::chat::Tag;
use tactful_core::gate::{self, Refusal};
use tactful_core::ledger::{Contribution, Deletion};
use tactful_core::policy::Policy;
use tactful_core::standing::{About, PreferenceFact};
use tactful_core::taxonomy::Taxonomy;

/// What was known before it is told is not told again: every fact is its own key.
const ACCOUNT_FACT: &str = "INSERT INTO account_fact \
    (shard, account, at, region, language, birth_date, likely_minor, platform) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), \
    CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS BIGINT), CAST($8 AS TEXT) WHERE NOT EXISTS \
    (SELECT 1 FROM forgotten WHERE shard = $1 AND target = $2 AND until >= $3) \
    ON CONFLICT DO NOTHING";

const NOTICE: &str = "INSERT INTO notice (shard, account, delivered, notice, version, channel) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), \
    CAST($5 AS TEXT), CAST($6 AS TEXT) WHERE NOT EXISTS \
    (SELECT 1 FROM forgotten WHERE shard = $1 AND target = $2 AND until >= $3) \
    ON CONFLICT DO NOTHING";

const CHOICE: &str = "INSERT INTO choice (shard, account, at, wish) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT) \
    WHERE NOT EXISTS \
    (SELECT 1 FROM forgotten WHERE shard = $1 AND target = $2 AND until >= $3) \
    ON CONFLICT DO NOTHING";

const PREFERENCE: &str = "INSERT INTO preference (shard, account, at, kind, subject, taste, platform) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), \
    CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT) WHERE NOT EXISTS \
    (SELECT 1 FROM forgotten WHERE shard = $1 AND target = $2 AND until >= $3) \
    ON CONFLICT DO NOTHING";

const MEMBERSHIP: &str = "INSERT INTO membership (shard, account, at, center, platform) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), \
    CAST($5 AS TEXT) WHERE NOT EXISTS \
    (SELECT 1 FROM forgotten WHERE shard = $1 AND target = $2 AND until >= $3) \
    ON CONFLICT DO NOTHING";

const CENTER: &str = "INSERT INTO center (shard, center, account) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT) WHERE EXISTS \
    (SELECT 1 FROM membership WHERE shard = CAST($4 AS BIGINT) AND account = $3 AND center = $2) \
    ON CONFLICT DO NOTHING";

const UNLINKING: &str = "INSERT INTO unlinking (shard, account, at) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS BIGINT) WHERE NOT EXISTS \
    (SELECT 1 FROM forgotten WHERE shard = $1 AND target = $2 AND until >= $3) \
    ON CONFLICT DO NOTHING";

/// Not into a shut conversation, and not what was taken back. Of two versions of one row the
/// greater stays, so the order of deliveries does not matter.
const CONTRIBUTION: &str = "INSERT INTO contribution (shard, account, source, event, interest, \
    conversation, weight, stage, at, platform, product, modality, policy, model) \
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
    CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS BIGINT), CAST($8 AS BIGINT), \
    CAST($9 AS BIGINT), CAST($10 AS TEXT), CAST($11 AS TEXT), CAST($12 AS BIGINT), \
    CAST($13 AS BIGINT), CAST($14 AS BIGINT) \
    WHERE NOT EXISTS (SELECT 1 FROM seal WHERE shard = $1 AND conversation = $6) \
    AND NOT EXISTS (SELECT 1 FROM forgotten WHERE shard = $1 \
    AND target IN ($2, $4, $6, CAST($15 AS TEXT)) AND until >= $9) \
    ON CONFLICT (shard, account, source, event, interest) DO UPDATE SET \
    weight = excluded.weight, stage = excluded.stage, at = excluded.at, \
    product = excluded.product, modality = excluded.modality, policy = excluded.policy, \
    model = excluded.model \
    WHERE (excluded.weight, excluded.stage, excluded.at, excluded.modality, excluded.policy, \
    excluded.model, excluded.product) > (contribution.weight, contribution.stage, \
    contribution.at, contribution.modality, contribution.policy, contribution.model, \
    contribution.product)";

const SEAL: &str = "INSERT INTO seal (shard, conversation, expires) VALUES ($1, $2, $3) \
    ON CONFLICT (shard, conversation) DO UPDATE SET expires = excluded.expires \
    WHERE excluded.expires > seal.expires";

const FORGOTTEN: &str = "INSERT INTO forgotten (shard, target, until) VALUES ($1, $2, $3) \
    ON CONFLICT (shard, target) DO UPDATE SET until = excluded.until \
    WHERE excluded.until > forgotten.until";

const COUNTER: &str = "INSERT INTO counter (reason, events) VALUES ($1, $2) \
    ON CONFLICT (reason) DO UPDATE SET events = counter.events + excluded.events";

const POSITION: &str = "INSERT INTO log_position (log, position, complete) VALUES ($1, $2, $3) \
    ON CONFLICT (log) DO UPDATE SET position = excluded.position, complete = excluded.complete";

/// What deleting an account empties besides its rows.
const OF_AN_ACCOUNT: [&str; 9] = [
    "DELETE FROM account_fact WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM notice WHERE shard = $1 AND account = $2 AND delivered <= $3",
    "DELETE FROM choice WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM preference WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM membership WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM unlinking WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM shown WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM click WHERE shard = $1 AND account = $2 AND at <= $3",
    "DELETE FROM delivery WHERE shard = $1 AND account = $2 AND at <= $3",
];

impl Store {
    /// Commits a batch: durable when this returns, or not there at all.
    ///
    /// A fact about an account that arrives after its chats may make some of them inadmissible;
    /// their rows go with the same transaction, which is what the policy is needed for.
    ///
    /// # Errors
    /// When the engine refuses; nothing of the batch is there then.
    pub fn commit(&mut self, batch: &Batch, policy: &Policy) -> Result<(), StoreError> {
        if *batch == Batch::default() {
            return Ok(());
        }
        let taxonomy = &self.taxonomy;
        self.engine.transaction(|engine| {
            write_standing(engine, taxonomy, batch)?;
            for (account, deletion, until) in &batch.deletions {
                forget(engine, taxonomy, *account, *deletion, *until)?;
            }
            for seal in &batch.seals {
                shut(engine, seal)?;
            }
            for row in &batch.contributions {
                keep(engine, taxonomy, row)?;
            }
            for (reason, events) in &batch.counts {
                let events = i64::try_from(*events).unwrap_or(i64::MAX);
                engine.execute(COUNTER, &[(*reason).into(), events.into()])?;
            }
            if let Some(at) = batch.position {
                let position = i64::try_from(at.position).unwrap_or(i64::MAX);
                let complete = i64::from(at.complete);
                engine.execute(POSITION, &[tag(at.log), position.into(), complete.into()])?;
            }
            judge_again(engine, taxonomy, batch, policy)
        })
    }

    /// Which of these conversations (by account) are shut.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn shut(
        &mut self,
        conversations: impl IntoIterator<Item = (Tag, Tag)>,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        const SHUT: &str = "SELECT 1 FROM seal WHERE shard = $1 AND conversation = $2";
        let mut shut = BTreeSet::new();
        for (account, conversation) in conversations {
            let key = [account.shard().into(), tag(conversation)];
            // `1` is an INT4 in PostgreSQL: only the number of rows is looked at.
            if self.engine.exists(SHUT, &key)? {
                shut.insert(conversation);
            }
        }
        Ok(shut)
    }
}

/// Takes out rows whose account turned out not to have been admissible when they were said.
fn judge_again(
    engine: &mut Engine,
    taxonomy: &Taxonomy,
    batch: &Batch,
    policy: &Policy,
) -> Result<(), StoreError> {
    let told = batch.facts.iter().map(|(account, _, _)| *account);
    let chose = batch.choices.iter().map(|(account, _, _)| *account);
    for account in told.chain(chose).collect::<BTreeSet<_>>() {
        let rows = people::rows(engine, taxonomy, account)?;
        if rows.is_empty() {
            continue;
        }
        let history = people::history(engine, taxonomy, account)?;
        for row in rows {
            let Some(facts) = row.facts() else { continue };
            let standing = history.standing(policy, row.at);
            if gate::refusal(policy, &standing, &facts).is_some_and(by_standing) {
                engine.execute(
                    "DELETE FROM contribution WHERE shard = $1 AND account = $2 \
                     AND source = $3 AND event = $4",
                    &[
                        account.shard().into(),
                        tag(account),
                        row.source.as_str().into(),
                        tag(row.event),
                    ],
                )?;
            }
        }
    }
    Ok(())
}

/// Is it a refusal that a fact about the account brought, rather than the policy's own text?
fn by_standing(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::UnknownRegion
            | Refusal::ExcludedRegion
            | Refusal::UnderAge
            | Refusal::NoNotice
            | Refusal::OptedOut
            | Refusal::NotOptedIn
    )
}

fn write_standing(
    engine: &mut Engine,
    taxonomy: &Taxonomy,
    batch: &Batch,
) -> Result<(), StoreError> {
    for (account, platform, fact) in &batch.facts {
        let [shard, key, at] = keyed(*account, fact.at);
        let region = fact.region.as_ref().map_or("", |region| region.as_str());
        let birth_date = fact.birth_date.map_or(String::new(), |date| date.to_string());
        let minor = fact.likely_minor.map_or(-1, i64::from);
        let language = fact.language.as_deref().unwrap_or("");
        let platform = platform.as_str().into();
        let values =
            [shard, key, at, region.into(), language.into(), birth_date.into(), minor.into()];
        engine.execute(ACCOUNT_FACT, &[&values[..], &[platform]].concat())?;
    }
    for (account, notice) in &batch.notices {
        let [shard, key, at] = keyed(*account, notice.delivered);
        let (name, version) = (notice.notice.as_str().into(), notice.version.as_str().into());
        engine.execute(NOTICE, &[shard, key, at, name, version, notice.channel.as_str().into()])?;
    }
    for (account, at, wish) in &batch.choices {
        let [shard, key, at] = keyed(*account, *at);
        engine.execute(CHOICE, &[shard, key, at, wish.as_str().into()])?;
    }
    for (account, platform, preference) in &batch.preferences {
        let [shard, key, at] = keyed(*account, preference.at);
        let (kind, subject) = about(taxonomy, preference);
        let said = [kind, subject, preference.taste.as_str(), platform.as_str()].map(Value::from);
        engine.execute(PREFERENCE, &[&[shard, key, at][..], &said].concat())?;
    }
    for (center, at, accounts) in &batch.links {
        for (account, platform) in accounts {
            let [shard, key, at] = keyed(*account, *at);
            let values = [shard, key.clone(), at, tag(*center), platform.as_str().into()];
            engine.execute(MEMBERSHIP, &values)?;
            engine.execute(
                CENTER,
                &[center.shard().into(), tag(*center), key, account.shard().into()],
            )?;
        }
    }
    for (account, at) in &batch.unlinks {
        engine.execute(UNLINKING, &keyed(*account, *at))?;
    }
    Ok(())
}

fn keyed(account: Tag, at: Timestamp) -> [Value; 3] {
    [account.shard().into(), tag(account), time(at)]
}

fn about<'a>(taxonomy: &'a Taxonomy, preference: &'a PreferenceFact) -> (&'static str, &'a str) {
    match &preference.about {
        About::Interest(interest) => ("interest", taxonomy.id(*interest)),
        About::Advertiser(advertiser) => ("advertiser", advertiser),
    }
}

/// Takes back what a deletion covers, and marks it so that a late delivery brings nothing back.
fn forget(
    engine: &mut Engine,
    taxonomy: &Taxonomy,
    account: Tag,
    deletion: Deletion,
    until: Timestamp,
) -> Result<(), StoreError> {
    let [shard, key, at] = keyed(account, until);
    let of_account = [shard.clone(), key.clone(), at.clone()];
    let (target, sql, of) = match deletion {
        Deletion::Account => {
            empty(engine, &of_account)?;
            let sql = "DELETE FROM contribution WHERE shard = $1 AND account = $2 AND at <= $3";
            (key.clone(), sql, None)
        }
        Deletion::Conversation(conversation) => {
            let sql = "DELETE FROM contribution WHERE shard = $1 AND account = $2 AND at <= $3 \
                       AND conversation = $4";
            (tag(conversation), sql, Some(tag(conversation)))
        }
        Deletion::Event(event) => {
            let sql = "DELETE FROM contribution WHERE shard = $1 AND account = $2 AND at <= $3 \
                       AND event = $4";
            (tag(event), sql, Some(tag(event)))
        }
        Deletion::Interest(interest) => {
            let id = taxonomy.id(interest);
            let sql = "DELETE FROM contribution WHERE shard = $1 AND account = $2 AND at <= $3 \
                       AND interest = $4";
            (interest_target(account, id), sql, Some(id.into()))
        }
    };
    engine.execute(FORGOTTEN, &[shard, target, at])?;
    let mut values = of_account.to_vec();
    values.extend(of);
    engine.execute(sql, &values)?;
    Ok(())
}

/// Takes out what is held of an account (its shard, its tag, up to when) besides its rows.
pub(crate) fn empty(engine: &mut Engine, of_account: &[Value; 3]) -> Result<(), StoreError> {
    let centers = engine.query(
        "SELECT center FROM membership WHERE shard = $1 AND account = $2 AND at <= $3",
        of_account,
    )?;
    for row in centers {
        let center = row.tag(0)?;
        engine.execute(
            "DELETE FROM center WHERE shard = $1 AND center = $2 AND account = $3",
            &[center.shard().into(), tag(center), of_account[1].clone()],
        )?;
    }
    for sql in OF_AN_ACCOUNT {
        engine.execute(sql, of_account)?;
    }
    Ok(())
}

fn interest_target(account: Tag, interest: &str) -> Value {
    format!("{account}:{interest}").into()
}

fn shut(engine: &mut Engine, seal: &Seal) -> Result<(), StoreError> {
    let shard: Value = seal.account.shard().into();
    let conversation = tag(seal.conversation);
    engine.execute(SEAL, &[shard.clone(), conversation.clone(), time(seal.expires)])?;
    engine.execute(
        "DELETE FROM contribution WHERE shard = $1 AND account = $2 AND conversation = $3",
        &[shard, tag(seal.account), conversation],
    )?;
    Ok(())
}

fn keep(engine: &mut Engine, taxonomy: &Taxonomy, row: &Contribution) -> Result<(), StoreError> {
    let interest = taxonomy.id(row.interest);
    let mut values = codec::values(row, interest);
    values.push(interest_target(row.account, interest));
    engine.execute(CONTRIBUTION, &values)?;
    // One event in 32 looks whether the account has grown past its bound, so that a row costs no
    // count of its own.
    if row.event.0.is_multiple_of(32) {
        trim(engine, row.account)?;
    }
    Ok(())
}

/// Lets the oldest rows of an account go once it holds twice as many as are ever looked at; the
/// slack is what deletions may take before an older row is missed.
fn trim(engine: &mut Engine, account: Tag) -> Result<(), StoreError> {
    let (shard, key) = (account.shard().into(), tag(account));
    let kept = 2 * i64::try_from(ROWS_PER_ACCOUNT).unwrap_or(i64::MAX);
    let oldest = engine.query(
        "SELECT at FROM contribution WHERE shard = $1 AND account = $2 \
         ORDER BY at DESC LIMIT 1 OFFSET $3",
        &[Clone::clone(&shard), key.clone(), kept.into()],
    )?;
    if let Some(row) = oldest.first() {
        engine.execute(
            "DELETE FROM contribution WHERE shard = $1 AND account = $2 AND at < $3",
            &[shard, key, row.integer(0)?.into()],
        )?;
    }
    Ok(())
}
