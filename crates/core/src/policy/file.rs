//! A policy file: TOML, refused whole with the line and the field that do not fit.

use super::{
    Boundary, Choosing, CrossPlatform, NoticeRule, Permission, Policy, PolicyId, Products,
    RegionRule, Scope, places,
};
use crate::chat::{Name, Region};
use crate::reading::Subject;
use crate::standing::Channel;
use jiff::{Timestamp, civil::Date, tz::Offset};
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

/// Why a policy file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{field}`: {expected}")]
pub struct PolicyError {
    /// 1-based.
    pub line: usize,
    /// The key, as far as the line tells.
    pub field: String,
    /// What was expected there.
    pub expected: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    effective: Spanned<Moment>,
    #[serde(default)]
    kill_switch: bool,
    platforms: Spanned<Vec<String>>,
    #[serde(default = "linked")]
    cross_platform: LinkingWord,
    #[serde(default = "no_choice")]
    choice: ChoiceWord,
    #[serde(default)]
    min_age: u8,
    #[serde(default = "conversation")]
    scope: ScopeWord,
    sensitive: Spanned<Vec<String>>,
    retention_days: Spanned<u16>,
    half_life_days: Spanned<u16>,
    signals: Option<Signals>,
    products: Spanned<std::collections::BTreeMap<String, bool>>,
    notice: Spanned<Notice>,
    regions: Spanned<Regions>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signals {
    gpc: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notice {
    required: bool,
    first_day: Option<Spanned<Moment>>,
    #[serde(default)]
    lead_days: u16,
    channels: Option<Vec<ChannelWord>>,
    #[serde(default)]
    must_name_ai_chats: bool,
    #[serde(default)]
    naming_ai_chats: Vec<NoticeText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeText {
    notice: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Regions {
    #[serde(default)]
    excluded: Option<Spanned<Vec<String>>>,
    elsewhere: Option<Elsewhere>,
    #[serde(default)]
    rule: Vec<Spanned<Rule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    infer: bool,
    #[serde(rename = "use")]
    apply: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    regions: Spanned<Vec<String>>,
    from: Option<Spanned<Moment>>,
    until: Option<Spanned<Moment>>,
    infer: bool,
    #[serde(rename = "use")]
    apply: bool,
    choice: Option<ChoiceWord>,
}

/// A TOML date or instant, or the same as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Toml(toml::value::Datetime),
    Text(String),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ChoiceWord {
    None,
    OptOut,
    OptIn,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LinkingWord {
    Linked,
    Never,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeWord {
    Conversation,
    Turn,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChannelWord {
    InApp,
    Email,
}

fn linked() -> LinkingWord {
    LinkingWord::Linked
}

fn no_choice() -> ChoiceWord {
    ChoiceWord::None
}

fn conversation() -> ScopeWord {
    ScopeWord::Conversation
}

impl ChoiceWord {
    fn choosing(self) -> Choosing {
        match self {
            Self::None => Choosing::None,
            Self::OptOut => Choosing::OptOut,
            Self::OptIn => Choosing::OptIn,
        }
    }
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// The line and the field that do not fit, and what was expected. Nothing is guessed: unknown
    /// keys, unknown regions and subjects that the firewall cannot judge are refused.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(text, at, error.message())
        })?;
        File::policy(file, text)
    }
}

impl File {
    fn policy(self, text: &str) -> Result<Policy, PolicyError> {
        let choice = self.choice.choosing();
        let effective = boundary(text, &self.effective)?.latest;
        let version = self.version.get_ref();
        if version.is_empty() || version.len() > 64 {
            return Err(wrong(text, self.version.span().start, "expected 1 to 64 characters"));
        }
        sensitive(text, &self.sensitive)?;
        for days in [&self.retention_days, &self.half_life_days] {
            if *days.get_ref() == 0 {
                return Err(wrong(text, days.span().start, "expected at least one day"));
            }
        }
        let hash = blake3::hash(text.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        Ok(Policy {
            id: PolicyId(u64::from_be_bytes(id)),
            effective,
            kill_switch: self.kill_switch,
            platforms: names(text, &self.platforms)?,
            cross_platform: match self.cross_platform {
                LinkingWord::Linked => CrossPlatform::Linked,
                LinkingWord::Never => CrossPlatform::Never,
            },
            min_age: self.min_age,
            scope: match self.scope {
                ScopeWord::Conversation => Scope::Conversation,
                ScopeWord::Turn => Scope::Turn,
            },
            gpc: self.signals.is_some_and(|signals| signals.gpc),
            retention_days: *self.retention_days.get_ref(),
            half_life_days: *self.half_life_days.get_ref(),
            products: products(text, &self.products)?,
            notice: notice(text, self.notice.into_inner())?,
            elsewhere: Permission {
                infer: self.regions.get_ref().elsewhere.as_ref().is_none_or(|e| e.infer),
                apply: self.regions.get_ref().elsewhere.as_ref().is_none_or(|e| e.apply),
                choice,
            },
            regions: regions(text, self.regions.into_inner(), choice)?,
            version: self.version.into_inner(),
        })
    }
}

fn names(text: &str, list: &Spanned<Vec<String>>) -> Result<BTreeSet<Name>, PolicyError> {
    let at = list.span().start;
    if list.get_ref().is_empty() {
        return Err(wrong(text, at, "expected at least one platform"));
    }
    list.get_ref().iter().map(|name| name_of(text, at, name)).collect()
}

fn name_of(text: &str, at: usize, name: &str) -> Result<Name, PolicyError> {
    Name::new(name).ok_or_else(|| {
        wrong(text, at, &format!("`{name}` is no name (1 to 24 of a-z, 0-9, `_`, `-`)"))
    })
}

/// The seven are the promise; a file that leaves one out is refused, and so is one that names a
/// subject for which the shipped model has no judge.
fn sensitive(text: &str, list: &Spanned<Vec<String>>) -> Result<(), PolicyError> {
    let at = list.span().start;
    for code in list.get_ref() {
        if Subject::parse(code).is_none() {
            let known = Subject::ALL.map(Subject::code).join(", ");
            let what = format!(
                "the model that is shipped cannot judge `{code}`, so a conversation on it could \
                 not be kept out; it judges {known}"
            );
            return Err(wrong(text, at, &what));
        }
    }
    match Subject::ALL.into_iter().find(|s| !list.get_ref().iter().any(|code| code == s.code())) {
        Some(missing) => {
            let what = format!("`{}` is missing; all seven are kept out", missing.code());
            Err(wrong(text, at, &what))
        }
        None => Ok(()),
    }
}

fn products(
    text: &str,
    table: &Spanned<std::collections::BTreeMap<String, bool>>,
) -> Result<Products, PolicyError> {
    let at = table.span().start;
    let mut products = Products { on: BTreeSet::new(), voice: false, image_prompts: false };
    for (name, on) in table.get_ref() {
        match name.as_str() {
            "voice" => products.voice = *on,
            "image_prompts" => products.image_prompts = *on,
            name => {
                let name = name_of(text, at, name)?;
                if *on {
                    products.on.insert(name);
                }
            }
        }
    }
    Ok(products)
}

fn notice(text: &str, notice: Notice) -> Result<NoticeRule, PolicyError> {
    Ok(NoticeRule {
        required: notice.required,
        first_day: notice.first_day.map(|day| boundary(text, &day)).transpose()?,
        lead_days: notice.lead_days,
        channels: notice.channels.map_or(Channel::ALL.to_vec(), |channels| {
            channels
                .into_iter()
                .map(|channel| match channel {
                    ChannelWord::InApp => Channel::InApp,
                    ChannelWord::Email => Channel::Email,
                })
                .collect()
        }),
        must_name_ai_chats: notice.must_name_ai_chats,
        naming_ai_chats: notice
            .naming_ai_chats
            .into_iter()
            .map(|text| (text.notice, text.version))
            .collect(),
    })
}

fn regions(text: &str, table: Regions, choice: Choosing) -> Result<Vec<RegionRule>, PolicyError> {
    let mut rules = Vec::new();
    if let Some(excluded) = &table.excluded {
        rules.push(RegionRule {
            regions: open(text, excluded)?,
            named: excluded.get_ref().clone(),
            from: None,
            until: None,
            permission: Permission { infer: false, apply: false, choice },
        });
    }
    for rule in table.rule {
        let at = rule.span().start;
        let rule = rule.into_inner();
        let edge = |moment: &Option<Spanned<Moment>>| {
            moment.as_ref().map(|moment| boundary(text, moment)).transpose()
        };
        let (from, until) = (edge(&rule.from)?, edge(&rule.until)?);
        if let (Some(from), Some(until)) = (from, until)
            && from.earliest >= until.earliest
        {
            return Err(wrong(text, at, "`until` must be later than `from`"));
        }
        rules.push(RegionRule {
            regions: open(text, &rule.regions)?,
            named: rule.regions.into_inner(),
            from,
            until,
            permission: Permission {
                infer: rule.infer,
                apply: rule.apply,
                choice: rule.choice.map_or(choice, ChoiceWord::choosing),
            },
        });
    }
    Ok(rules)
}

fn open(text: &str, list: &Spanned<Vec<String>>) -> Result<BTreeSet<Region>, PolicyError> {
    let mut regions = BTreeSet::new();
    for name in list.get_ref() {
        let Some(found) = places::regions(name) else {
            let what = format!("`{name}` is no region (ISO 3166-1 alpha-2, or EU, EEA, UK)");
            return Err(wrong(text, list.span().start, &what));
        };
        regions.extend(found);
    }
    Ok(regions)
}

/// A date is a day on the whole Earth; an instant with an offset is itself.
fn boundary(text: &str, moment: &Spanned<Moment>) -> Result<Boundary, PolicyError> {
    let written = match moment.get_ref() {
        Moment::Toml(datetime) => datetime.to_string(),
        Moment::Text(text) => text.clone(),
    };
    if let Ok(instant) = written.parse::<Timestamp>() {
        return Ok(Boundary { earliest: instant, latest: instant });
    }
    let midnight = |hours| {
        let date: Date = written.parse().ok()?;
        Offset::constant(hours).to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()
    };
    // `2025-12-16T00:00` would parse as a date too; without an offset it is neither.
    let dated = written.len() == "2025-12-16".len();
    match (midnight(14), midnight(-12)) {
        (Some(earliest), Some(latest)) if dated => Ok(Boundary { earliest, latest }),
        _ => {
            let what = format!(
                "`{written}` is neither a date (2025-12-16) nor an instant with an offset \
                 (2025-12-16T00:00:00Z)"
            );
            Err(wrong(text, moment.span().start, &what))
        }
    }
}

/// An error at a byte of the file: finds the line and the key that stands on it, or above it.
fn wrong(text: &str, at: usize, expected: &str) -> PolicyError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let key = |line: &str| {
        let (key, _) = line.split_once('=')?;
        let key = key.trim();
        (!key.is_empty() && !key.contains(['#', '"', '{', '['])).then(|| key.to_owned())
    };
    let header = |line: &str| {
        let line = line.trim();
        line.starts_with('[').then(|| line.trim_matches(['[', ']']).to_owned())
    };
    let field = text
        .lines()
        .take(line)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .find_map(|line| key(line).or_else(|| header(line)))
        .unwrap_or_else(|| "file".to_owned());
    PolicyError { line, field, expected: expected.to_owned() }
}
