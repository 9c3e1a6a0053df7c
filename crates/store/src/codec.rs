//! How the core's values stand in columns.

use crate::StoreError;
use crate::engine::{Row, Value};
use jiff::Timestamp;
use tactful_core::chat::{Modality, Name, Tag};
use tactful_core::ledger::{Contribution, Source};
use tactful_core::policy::PolicyId;
use tactful_core::reading::{ModelId, Stage, Weight};
use tactful_core::taxonomy::Taxonomy;

pub fn tag(tag: Tag) -> Value {
    Value::Text(tag.to_string())
}

pub fn time(at: Timestamp) -> Value {
    Value::Integer(at.as_microsecond())
}

/// 64 bits of a hash, kept as the signed integer that both engines have.
fn hash(bits: u64) -> Value {
    Value::Integer(bits.cast_signed())
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of an unknown kind"))
}

impl Row {
    pub fn tag(&self, column: usize) -> Result<Tag, StoreError> {
        let text = self.text(column)?;
        u128::from_str_radix(text, 16).map(Tag).map_err(|_| corrupt("a tag"))
    }

    pub fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.integer(column)?).map_err(|_| corrupt("an instant"))
    }

    pub fn name(&self, column: usize) -> Result<Name, StoreError> {
        Name::new(self.text(column)?).ok_or_else(|| corrupt("a name"))
    }
}

/// The columns of a contribution, in the order of [`contribution`] and [`values`].
pub const COLUMNS: &str = "account, source, event, interest, conversation, weight, stage, at, \
                           platform, product, modality, policy, model";

pub fn values(row: &Contribution, interest: &str) -> Vec<Value> {
    vec![
        row.account.shard().into(),
        tag(row.account),
        row.source.as_str().into(),
        tag(row.event),
        interest.into(),
        tag(row.conversation),
        row.weight.0.into(),
        Value::Integer(row.stage as i64),
        time(row.at),
        row.platform.as_str().into(),
        row.product.as_str().into(),
        Value::Integer(row.modality as i64),
        hash(row.policy.0),
        hash(row.model.0),
    ]
}

/// A row that was read; `None` when its interest is not in this taxonomy any more.
pub fn contribution(row: &Row, taxonomy: &Taxonomy) -> Result<Option<Contribution>, StoreError> {
    let Some(interest) = taxonomy.find(row.text(3)?) else { return Ok(None) };
    let place = |column| usize::try_from(row.integer(column)?).map_err(|_| corrupt("a code"));
    Ok(Some(Contribution {
        account: row.tag(0)?,
        source: Source::parse(row.text(1)?).ok_or_else(|| corrupt("a source"))?,
        event: row.tag(2)?,
        interest,
        conversation: row.tag(4)?,
        weight: Weight(u16::try_from(row.integer(5)?).map_err(|_| corrupt("a weight"))?),
        stage: *Stage::ALL.get(place(6)?).ok_or_else(|| corrupt("a stage"))?,
        at: row.time(7)?,
        platform: row.name(8)?,
        product: row.name(9)?,
        modality: *Modality::ALL.get(place(10)?).ok_or_else(|| corrupt("a modality"))?,
        policy: PolicyId(row.integer(11)?.cast_unsigned()),
        model: ModelId(row.integer(12)?.cast_unsigned()),
    }))
}
