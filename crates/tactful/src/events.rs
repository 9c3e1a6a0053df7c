//! One line of the log → one event.
//!
//! No error of this module quotes what a line holds: it names the field and what was expected.

use crate::identity::{Account, Keyring, valid_id};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use tactful_core::chat::{
    Audience, Facts, Message, Modality, Name, Region, Role, Tag, Turn, Words,
};
use tactful_core::gate::Deed;
use tactful_core::ledger::{Deletion, Source};
use tactful_core::standing::{
    About, AccountFact, Channel, NoticeFact, PreferenceFact, Taste, Wish,
};
use tactful_core::taxonomy::Taxonomy;

/// Why a line was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("`{field}`: {expected}")]
pub struct BadLine {
    /// The field.
    pub field: &'static str,
    /// What was expected there.
    pub expected: Cow<'static, str>,
}

fn bad(field: &'static str, expected: impl Into<Cow<'static, str>>) -> BadLine {
    BadLine { field, expected: expected.into() }
}

/// What an activity was about.
pub enum Target {
    /// An item, by its id.
    Item(String),
    /// Words.
    Text(Words),
}

/// One event of the log.
pub enum Event {
    /// `account`
    Account(Tag, Name, AccountFact),
    /// `link`: the center's tag, when, which accounts.
    Link(Tag, Timestamp, Vec<(Tag, Name)>),
    /// `unlink`
    Unlink(Tag, Name, Timestamp),
    /// `notice`; `None` when it was not delivered.
    Notice(Tag, Name, Option<NoticeFact>),
    /// `choice`
    Choice(Tag, Name, Timestamp, Wish),
    /// `turn`
    Turn(Box<Turn>),
    /// `activity`
    Activity(Deed, Target),
    /// `preference`
    Preference(Tag, Name, PreferenceFact),
    /// `delete`
    Delete(Tag, Name, Deletion, Timestamp),
}

impl Event {
    /// The names of the types, as the log writes them.
    pub const TYPES: &'static str =
        "account, link, unlink, notice, choice, turn, activity, preference, delete";

    /// The platforms that it names.
    pub fn platforms(&self) -> Vec<Name> {
        match self {
            Self::Account(_, platform, _)
            | Self::Unlink(_, platform, _)
            | Self::Notice(_, platform, _)
            | Self::Choice(_, platform, ..)
            | Self::Preference(_, platform, _)
            | Self::Delete(_, platform, ..) => vec![*platform],
            Self::Link(_, _, accounts) => accounts.iter().map(|(_, platform)| *platform).collect(),
            Self::Turn(turn) => vec![turn.facts.platform],
            Self::Activity(deed, _) => vec![deed.platform],
        }
    }
}

/// A line, its fields not yet looked into.
#[derive(Deserialize)]
pub struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    at: Option<&'a RawValue>,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    accounts: Option<&'a RawValue>,
    #[serde(borrow)]
    region: Option<&'a RawValue>,
    #[serde(borrow)]
    language: Option<&'a RawValue>,
    #[serde(borrow)]
    birth_date: Option<&'a RawValue>,
    #[serde(borrow)]
    likely_minor: Option<&'a RawValue>,
    #[serde(borrow)]
    notice: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    delivered: Option<&'a RawValue>,
    #[serde(borrow)]
    chats: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow)]
    turn: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    audience: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted: Option<&'a RawValue>,
    #[serde(borrow)]
    modality: Option<&'a RawValue>,
    #[serde(borrow)]
    product: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
    #[serde(borrow)]
    activity: Option<&'a RawValue>,
    #[serde(borrow, rename = "kind")]
    deed: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    interest: Option<&'a RawValue>,
    #[serde(borrow)]
    advertiser: Option<&'a RawValue>,
    #[serde(borrow)]
    wish: Option<&'a RawValue>,
}

/// One message of a context.
#[derive(Deserialize)]
struct ContextMessage<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

type Field<'a> = Option<&'a RawValue>;

fn string<'a>(field: &'static str, value: Field<'a>) -> Result<Cow<'a, str>, BadLine> {
    optional_string(field, value)?.ok_or_else(|| bad(field, "is missing"))
}

fn optional_string<'a>(
    field: &'static str,
    value: Field<'a>,
) -> Result<Option<Cow<'a, str>>, BadLine> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    match value.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(json) => match serde_json::from_str::<Text>(json) {
            Ok(text) => Ok(Some(text.0)),
            Err(_) => Err(bad(field, "expected a string")),
        },
    }
}

fn boolean(field: &'static str, value: Field) -> Result<Option<bool>, BadLine> {
    match value.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(bad(field, "expected true or false")),
    }
}

fn id(field: &'static str, value: Field) -> Result<String, BadLine> {
    let text = string(field, value)?;
    match valid_id(&text) {
        true => Ok(text.into_owned()),
        false => Err(bad(field, "expected 1 to 256 bytes without control characters")),
    }
}

/// One of a closed set of words.
fn word<T>(
    field: &'static str,
    value: Field,
    parse: impl Fn(&str) -> Option<T>,
    known: &'static str,
) -> Result<T, BadLine> {
    parse(&string(field, value)?).ok_or_else(|| bad(field, format!("expected one of {known}")))
}

/// The instants that an event may have, in seconds: up to 2200-01-01T00:00:00Z.
pub const INSTANTS: std::ops::Range<i64> = 0..7_258_118_400;

fn instant(field: &'static str, value: Field) -> Result<Timestamp, BadLine> {
    let expected = "expected an RFC 3339 instant from 1970 to 2199, such as 2026-01-15T09:00:00Z";
    let instant: Timestamp = string(field, value)?.parse().map_err(|_| bad(field, expected))?;
    match INSTANTS.contains(&instant.as_second()) {
        true => Ok(instant),
        false => Err(bad(field, expected)),
    }
}

fn account(field: &'static str, text: &str) -> Result<Account, BadLine> {
    text.parse().map_err(|expected: String| bad(field, expected))
}

fn role(text: &str) -> Option<Role> {
    match text {
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        "tool" | "function" | "recalled" => Some(Role::Tool),
        _ => None,
    }
}

const ROLES: &str = "user, assistant, system, developer, tool, function, recalled";

impl<'a> Line<'a> {
    /// Splits a line into its fields.
    ///
    /// # Errors
    /// When it is no JSON object in UTF-8, or a field stands twice.
    pub fn split(bytes: &'a [u8]) -> Result<Self, BadLine> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            bad("line", format!("not UTF-8 from byte {}", error.valid_up_to() + 1))
        })?;
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                bad("line", "expected one JSON object in which no field stands twice")
            }
            _ => bad("line", format!("not JSON from column {}", error.column())),
        })
    }

    /// Is it a turn or an activity, which are read after what is known of the accounts?
    pub fn is_said_or_done(&self) -> bool {
        matches!(self.kind.map(RawValue::get), Some("\"turn\"" | "\"activity\""))
    }

    /// The event.
    ///
    /// # Errors
    /// The first field that does not fit.
    pub fn event(&self, keyring: &Keyring, taxonomy: &Taxonomy) -> Result<Event, BadLine> {
        let at = || instant("at", self.at);
        let account = || account("account", &string("account", self.account)?);
        match string("type", self.kind)?.as_ref() {
            "turn" => self.turn(keyring, account()?, at()?),
            "activity" => self.activity(keyring, account()?, at()?),
            "account" => {
                let account = account()?;
                let fact = self.account_fact(at()?)?;
                Ok(Event::Account(account.tag(keyring), account.platform, fact))
            }
            "link" => self.link(keyring, at()?),
            "unlink" => {
                let account = account()?;
                Ok(Event::Unlink(account.tag(keyring), account.platform, at()?))
            }
            "notice" => self.notice(keyring, account()?, at()?),
            "choice" => {
                let (account, at) = (account()?, at()?);
                let wish = word("chats", self.chats, Wish::parse, "in, out, pause, resume")?;
                Ok(Event::Choice(account.tag(keyring), account.platform, at, wish))
            }
            "preference" => self.preference(keyring, taxonomy, account()?, at()?),
            "delete" => self.delete(keyring, taxonomy, account()?, at()?),
            _ => Err(bad("type", format!("expected one of {}", Event::TYPES))),
        }
    }

    fn turn(&self, keyring: &Keyring, account: Account, at: Timestamp) -> Result<Event, BadLine> {
        let tag = account.tag(keyring);
        let conversation = keyring.conversation(tag, &id("conversation", self.conversation)?);
        let facts = Facts {
            account: tag,
            platform: account.platform,
            conversation,
            event: keyring.turn(conversation, &id("turn", self.turn)?),
            role: word("role", self.role, role, ROLES)?,
            audience: word(
                "audience",
                self.audience,
                |audience| match audience {
                    "assistant" => Some(Audience::Assistant),
                    "people" => Some(Audience::People),
                    _ => None,
                },
                "assistant, people",
            )?,
            encrypted: boolean("encrypted", self.encrypted)?
                .ok_or_else(|| bad("encrypted", "is missing"))?,
            modality: word(
                "modality",
                self.modality,
                Modality::parse,
                "text, voice, image_prompt",
            )?,
            product: Name::new(&string("product", self.product)?)
                .ok_or_else(|| bad("product", "expected 1 to 24 of a-z, 0-9, `_`, `-`"))?,
            at,
        };
        let words = Words::new(string("text", self.text)?.into_owned());
        Ok(Event::Turn(Box::new(Turn { facts, words, context: context(self.context)? })))
    }

    fn activity(
        &self,
        keyring: &Keyring,
        account: Account,
        at: Timestamp,
    ) -> Result<Event, BadLine> {
        let tag = account.tag(keyring);
        let deed = Deed {
            account: tag,
            platform: account.platform,
            event: keyring.activity(tag, &id("activity", self.activity)?),
            kind: word(
                "kind",
                self.deed,
                |kind| Source::parse(kind).filter(|source| *source != Source::Chat),
                "like, follow, join, view",
            )?,
            at,
        };
        let target = match (optional_string("item", self.item)?, self.text) {
            (Some(_), _) => Target::Item(id("item", self.item)?),
            (None, Some(_)) => Target::Text(Words::new(string("text", self.text)?.into_owned())),
            (None, None) => return Err(bad("item", "is missing, and so is `text`")),
        };
        Ok(Event::Activity(deed, target))
    }

    fn account_fact(&self, at: Timestamp) -> Result<AccountFact, BadLine> {
        let region = optional_string("region", self.region)?
            .map(|code| {
                Region::new(&code)
                    .ok_or_else(|| bad("region", "expected ISO 3166-1 alpha-2, such as US"))
            })
            .transpose()?;
        let language = optional_string("language", self.language)?
            .map(|tag| {
                primary_language(&tag)
                    .ok_or_else(|| bad("language", "expected BCP 47, such as en or pt-BR"))
            })
            .transpose()?;
        let birth_date = optional_string("birth_date", self.birth_date)?
            .map(|date| {
                date.parse().map_err(|_| bad("birth_date", "expected a date, such as 1990-05-17"))
            })
            .transpose()?;
        let likely_minor = boolean("likely_minor", self.likely_minor)?;
        Ok(AccountFact { at, region, language, birth_date, likely_minor })
    }

    fn link(&self, keyring: &Keyring, at: Timestamp) -> Result<Event, BadLine> {
        let expected = "expected a list of two or more accounts";
        let list = self.accounts.ok_or_else(|| bad("accounts", "is missing"))?;
        let list: Vec<Cow<str>> =
            serde_json::from_str(list.get()).map_err(|_| bad("accounts", expected))?;
        let mut accounts = list
            .iter()
            .map(|text| account("accounts", text).map(|a| (a.tag(keyring), a.platform)))
            .collect::<Result<Vec<_>, _>>()?;
        accounts.sort();
        accounts.dedup();
        if accounts.len() < 2 {
            return Err(bad("accounts", expected));
        }
        let members: Vec<[u8; 16]> = accounts.iter().map(|(tag, _)| tag.0.to_be_bytes()).collect();
        let members: Vec<&[u8]> = members.iter().map(<[u8; 16]>::as_slice).collect();
        Ok(Event::Link(keyring.tag("center", &members), at, accounts))
    }

    /// `delivered` is the instant of delivery, or `true` when that is the event's own.
    fn notice(&self, keyring: &Keyring, account: Account, at: Timestamp) -> Result<Event, BadLine> {
        let delivered = match boolean("delivered", self.delivered) {
            Ok(Some(true)) => Some(at),
            Ok(Some(false)) => None,
            Ok(None) => return Err(bad("delivered", "is missing")),
            Err(_) => Some(instant("delivered", self.delivered)?),
        };
        let (notice, version) = (id("notice", self.notice)?, id("version", self.version)?);
        let channel = word("channel", self.channel, Channel::parse, "in_app, email")?;
        let fact = delivered.map(|delivered| NoticeFact { delivered, notice, version, channel });
        Ok(Event::Notice(account.tag(keyring), account.platform, fact))
    }

    fn preference(
        &self,
        keyring: &Keyring,
        taxonomy: &Taxonomy,
        account: Account,
        at: Timestamp,
    ) -> Result<Event, BadLine> {
        let about = match (self.interest, self.advertiser) {
            (Some(_), None) => About::Interest(interest(self.interest, taxonomy)?),
            (None, Some(_)) => About::Advertiser(id("advertiser", self.advertiser)?),
            (None, None) => return Err(bad("interest", "is missing, and so is `advertiser`")),
            (Some(_), Some(_)) => {
                return Err(bad("interest", "expected it or `advertiser`, not both"));
            }
        };
        let taste = word("wish", self.wish, Taste::parse, "less, never, more, clear")?;
        let fact = PreferenceFact { at, about, taste };
        Ok(Event::Preference(account.tag(keyring), account.platform, fact))
    }

    fn delete(
        &self,
        keyring: &Keyring,
        taxonomy: &Taxonomy,
        account: Account,
        at: Timestamp,
    ) -> Result<Event, BadLine> {
        let tag = account.tag(keyring);
        let deletion = match (self.conversation, self.turn, self.activity, self.interest) {
            (None, None, None, None) => Deletion::Account,
            (Some(_), None, None, None) => Deletion::Conversation(
                keyring.conversation(tag, &id("conversation", self.conversation)?),
            ),
            (Some(_), Some(_), None, None) => {
                let conversation =
                    keyring.conversation(tag, &id("conversation", self.conversation)?);
                Deletion::Event(keyring.turn(conversation, &id("turn", self.turn)?))
            }
            (None, Some(_), None, None) => {
                return Err(bad("conversation", "is missing: a turn is named by its conversation"));
            }
            (None, None, Some(_), None) => {
                Deletion::Event(keyring.activity(tag, &id("activity", self.activity)?))
            }
            (None, None, None, Some(_)) => Deletion::Interest(interest(self.interest, taxonomy)?),
            _ => {
                return Err(bad(
                    "type",
                    "expected one thing to delete: conversation, turn, activity or interest",
                ));
            }
        };
        Ok(Event::Delete(tag, account.platform, deletion, at))
    }
}

fn interest(
    value: Field,
    taxonomy: &Taxonomy,
) -> Result<tactful_core::taxonomy::Interest, BadLine> {
    taxonomy
        .find(&string("interest", value)?)
        .ok_or_else(|| bad("interest", "expected a leaf of taxonomy/interests.tsv"))
}

fn context(value: Field) -> Result<Vec<Message>, BadLine> {
    let Some(value) = value.filter(|value| value.get() != "null") else { return Ok(Vec::new()) };
    let expected = "expected a list of {role, text}";
    let messages: Vec<ContextMessage> =
        serde_json::from_str(value.get()).map_err(|_| bad("context", expected))?;
    messages
        .into_iter()
        .map(|message| {
            let role = role(&message.role)
                .ok_or_else(|| bad("context", format!("expected roles of {ROLES}")))?;
            Ok(Message { role, words: Words::new(message.text.into_owned()) })
        })
        .collect()
}

/// The primary subtag of a BCP 47 tag, lower case.
pub fn primary_language(tag: &str) -> Option<String> {
    let primary = tag.split(['-', '_']).next()?;
    let fits = (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_alphabetic());
    fits.then(|| primary.to_ascii_lowercase())
}
