//! Items of the inventory: NDJSON in, read by the same model and stopped by the same firewall.

use crate::data::Data;
use crate::events::{BadLine, primary_language};
use crate::identity::valid_id;
use crate::ingest::Trouble;
use crate::lines::{LONGEST_LINE, Lines, open};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tactful_core::chat::{Region, Words};
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::{Campaign, FrequencyCap, Item, Surface};
use tactful_core::ranking::place::Place;
use tactful_core::reading::{Reader, Stage, Weight};
use tactful_core::taxonomy::Taxonomy;
use tactful_core::{firewall, gate};
use tactful_store::inventory::{Found, StoredItem};

/// Items that are kept together.
const BATCH: usize = 4096;

#[derive(Deserialize)]
struct RawItem {
    id: Value,
    kind: Value,
    title: Value,
    #[serde(default)]
    text: Value,
    #[serde(default)]
    language: Value,
    #[serde(default)]
    regions: Value,
    #[serde(default)]
    place: Value,
    #[serde(default)]
    author: Value,
    #[serde(default)]
    audience: Value,
    #[serde(default)]
    quality: Value,
    created: Value,
    #[serde(default)]
    campaign: Value,
}

/// An item with what only its reading needs.
pub struct Parsed {
    /// The item, without its interests.
    pub item: Item,
    text: String,
    interests: Vec<String>,
}

fn bad(field: &'static str, expected: impl Into<std::borrow::Cow<'static, str>>) -> BadLine {
    BadLine { field, expected: expected.into() }
}

fn text(field: &'static str, value: &Value) -> Result<Option<String>, BadLine> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(bad(field, "expected a string")),
    }
}

fn id(field: &'static str, value: &Value) -> Result<String, BadLine> {
    text(field, value)?
        .filter(|id| valid_id(id))
        .ok_or_else(|| bad(field, "expected 1 to 256 bytes without control characters"))
}

/// A decimal number in millionths.
fn millionths(field: &'static str, value: &Value) -> Result<u64, BadLine> {
    let number = value.as_f64().filter(|n| (0.0..=1e12).contains(n));
    let number = number.ok_or_else(|| bad(field, "expected a number from 0 to 10^12"))?;
    Ok((number * 1e6).round() as u64)
}

/// `{"lat": …, "lon": …}`, `[lat, lon]` or `"LAT,LON"`, in degrees.
fn place(value: &Value) -> Result<Option<Place>, BadLine> {
    let degrees = match value {
        Value::Null => return Ok(None),
        Value::String(text) => return parse_place(text).map(Some).map_err(|e| bad("place", e)),
        Value::Array(pair) => pair.first().zip(pair.get(1)),
        Value::Object(named) => named
            .get("lat")
            .or_else(|| named.get("latitude"))
            .zip(named.get("lon").or_else(|| named.get("longitude"))),
        _ => None,
    };
    let whole = |value: &Value| value.as_f64().map(|degrees| (degrees * 1e6).round() as i64);
    degrees
        .and_then(|(latitude, longitude)| Place::new(whole(latitude)?, whole(longitude)?))
        .map(Some)
        .ok_or_else(|| bad("place", "expected {\"lat\": 40.01, \"lon\": -105.27}"))
}

/// `LAT,LON` in degrees.
///
/// # Errors
/// What was expected.
pub fn parse_place(text: &str) -> Result<Place, String> {
    let degrees = |text: &str| text.trim().parse::<f64>().ok().filter(|d| d.is_finite());
    text.split_once(',')
        .and_then(|(latitude, longitude)| {
            let whole = |degrees: f64| (degrees * 1e6).round() as i64;
            Place::new(whole(degrees(latitude)?), whole(degrees(longitude)?))
        })
        .ok_or_else(|| "expected LAT,LON in degrees, such as 40.01,-105.27".to_owned())
}

/// An item from its line.
///
/// # Errors
/// The first field that does not fit.
pub fn parse(line: &[u8]) -> Result<Parsed, BadLine> {
    let raw: RawItem = serde_json::from_slice(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            bad("line", "expected one JSON object with id, kind, title and created")
        }
        _ => bad("line", format!("not JSON in UTF-8 from column {}", error.column())),
    })?;
    let surface = text("kind", &raw.kind)?
        .and_then(|kind| Surface::of_kind(&kind))
        .ok_or_else(|| bad("kind", "expected one of ad, post, reel, group"))?;
    let created = text("created", &raw.created)?
        .and_then(|created| created.parse().ok())
        .ok_or_else(|| bad("created", "expected an RFC 3339 instant"))?;
    let language = text("language", &raw.language)?
        .map(|tag| primary_language(&tag).ok_or_else(|| bad("language", "expected BCP 47")))
        .transpose()?;
    let mut regions = BTreeSet::new();
    if !raw.regions.is_null() {
        let list = raw.regions.as_array();
        for code in list.ok_or_else(|| bad("regions", "expected a list of ISO 3166-1 codes"))? {
            let region = code.as_str().and_then(Region::new);
            regions.insert(region.ok_or_else(|| bad("regions", "expected ISO 3166-1 codes"))?);
        }
    }
    let friends_only = match text("audience", &raw.audience)?.as_deref() {
        None | Some("public") => false,
        Some("friends") => true,
        Some(_) => return Err(bad("audience", "expected public or friends")),
    };
    let quality = match &raw.quality {
        Value::Null => 500,
        value => match value.as_f64() {
            Some(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0).round() as u16,
            _ => return Err(bad("quality", "expected a number from 0 to 1")),
        },
    };
    let (campaign, interests) = campaign(surface, &raw.campaign)?;
    let title = text("title", &raw.title)?.ok_or_else(|| bad("title", "is missing"))?;
    let item = Item {
        id: id("id", &raw.id)?,
        surface,
        title,
        language,
        regions,
        place: place(&raw.place)?,
        author: text("author", &raw.author)?,
        friends_only,
        quality,
        created,
        campaign,
        interests: Vec::new(),
    };
    Ok(Parsed { item, text: text("text", &raw.text)?.unwrap_or_default(), interests })
}

fn campaign(surface: Surface, value: &Value) -> Result<(Option<Campaign>, Vec<String>), BadLine> {
    if surface != Surface::Ads {
        return Ok((None, Vec::new()));
    }
    if !value.is_object() {
        return Err(bad("campaign", "is missing; an ad has one"));
    }
    let frequency_cap = match &value["frequency_cap"] {
        Value::Null => None,
        cap => {
            let count = cap["count"].as_u64().or_else(|| cap.as_u64());
            let days = cap["days"].as_u64().unwrap_or(1);
            let cap = count.and_then(|count| {
                Some(FrequencyCap {
                    count: u32::try_from(count).ok()?,
                    days: u16::try_from(days).ok()?,
                })
            });
            Some(cap.ok_or_else(|| {
                bad(
                    "campaign.frequency_cap",
                    "expected {\"count\": 3, \"days\": 1}, or a number a day",
                )
            })?)
        }
    };
    let interests = match &value["interests"] {
        Value::Null => Vec::new(),
        list => list
            .as_array()
            .and_then(|list| list.iter().map(|id| id.as_str().map(str::to_owned)).collect())
            .ok_or_else(|| bad("campaign.interests", "expected a list of leaves"))?,
    };
    let currency = text("campaign.currency", &value["currency"])?
        .filter(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()))
        .ok_or_else(|| bad("campaign.currency", "expected ISO 4217, such as USD"))?;
    let campaign = Campaign {
        id: id("campaign.id", &value["id"])?,
        advertiser: id("campaign.advertiser", &value["advertiser"])?,
        bid: millionths("campaign.bid", &value["bid"])?,
        currency,
        budget: match &value["budget"] {
            Value::Null => u64::MAX,
            budget => millionths("campaign.budget", budget)?,
        },
        frequency_cap,
        paused: false,
    };
    Ok((Some(campaign), interests))
}

/// What is said of a campaign beside its ads: it holds for all of them. Money is in units of the
/// store's currency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignTerms {
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertiser: Option<String>,
    /// The most that a response is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bid: Option<f64>,
    /// The most that may be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Is it held back for now?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

impl CampaignTerms {
    /// The terms as the store keeps them.
    ///
    /// # Errors
    /// When another version wrote them.
    pub fn kept(body: &str) -> Result<Self> {
        serde_json::from_str(body).context("the terms of a campaign in the store")
    }

    /// These, and what they leave out as it was.
    #[must_use]
    pub fn over(self, before: Self) -> Self {
        Self {
            advertiser: self.advertiser.or(before.advertiser),
            bid: self.bid.or(before.bid),
            budget: self.budget.or(before.budget),
            paused: self.paused.or(before.paused),
        }
    }

    /// Do they make sense?
    ///
    /// # Errors
    /// The field that does not.
    pub fn check(&self) -> Result<(), BadLine> {
        for (field, value) in [("bid", self.bid), ("budget", self.budget)] {
            value.map(|value| millionths(field, &value.into())).transpose()?;
        }
        match &self.advertiser {
            Some(advertiser) if !valid_id(advertiser) => {
                Err(bad("advertiser", "expected 1 to 256 bytes without control characters"))
            }
            _ => Ok(()),
        }
    }

    fn hold_for(&self, campaign: &mut Campaign) {
        let millionths = |value: Option<f64>| value.map(|value| (value * 1e6).round() as u64);
        campaign.bid = millionths(self.bid).unwrap_or(campaign.bid);
        campaign.budget = millionths(self.budget).unwrap_or(campaign.budget);
        campaign.paused = self.paused.unwrap_or(campaign.paused);
        if let Some(advertiser) = &self.advertiser {
            campaign.advertiser.clone_from(advertiser);
        }
    }
}

/// What an item is about. Nothing, when it touches a protected subject or cannot be judged: then
/// it can still be shown, but never because of a profile.
fn found(parsed: &Parsed, taxonomy: &Taxonomy, reader: &impl Reader) -> Result<Found, BadLine> {
    let words = Words::new(format!("{}\n{}", parsed.item.title, parsed.text));
    let Ok(cleared) = firewall::screen(reader, gate::admit_open(words, Vec::new())) else {
        return Ok(Found::new());
    };
    if parsed.interests.is_empty() {
        let findings = cleared.findings().iter();
        return Ok(findings.map(|f| (f.interest, f.weight, f.stage)).collect());
    }
    let leaf = |id: &String| {
        let interest = taxonomy.find(id);
        interest.map(|interest| (interest, Weight(1000), Stage::Buying))
    };
    let named: Option<Found> = parsed.interests.iter().map(leaf).collect();
    named.ok_or_else(|| bad("campaign.interests", "expected leaves of taxonomy/interests.tsv"))
}

/// Has an item read, and checks what only the others make wrong.
fn keep(
    parsed: Parsed,
    bytes: &[u8],
    currency: &mut Option<String>,
    taxonomy: &Taxonomy,
    reader: &impl Reader,
) -> Result<StoredItem, BadLine> {
    if let Some(campaign) = &parsed.item.campaign {
        // Bids are compared, so they must be of one currency.
        match currency {
            Some(one) if *one != campaign.currency => {
                return Err(bad("campaign.currency", format!("expected {one}, as before")));
            }
            Some(_) => {}
            None => *currency = Some(campaign.currency.clone()),
        }
    }
    let found = found(&parsed, taxonomy, reader)?;
    let body = String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
    Ok(StoredItem { item: parsed.item.id, body, found })
}

/// Reads items, all or none; they are not kept yet, but the currency of the first ad is.
///
/// # Errors
/// The first line that does not fit.
pub fn take_in_text(
    text: &[u8],
    data: &mut Data,
    reader: &impl Reader,
) -> Result<Result<Vec<StoredItem>, Trouble>, tactful_store::StoreError> {
    let mut currency = data.store.note("currency")?;
    let mut items = Vec::new();
    for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let kept = parse(bytes)
            .and_then(|parsed| keep(parsed, bytes, &mut currency, &data.taxonomy, reader));
        match kept {
            Ok(item) => items.push(item),
            Err(what) => return Ok(Err(Trouble { line, what })),
        }
    }
    if let Some(currency) = currency {
        data.store.set_note("currency", &currency)?;
    }
    Ok(Ok(items))
}

/// Takes items in. Gives how many, and the lines that did not fit.
///
/// # Errors
/// When the file cannot be read, the store refuses, or (with `strict`) a line does not fit.
pub fn take_in(
    file: &Path,
    data: &mut Data,
    reader: &impl Reader,
    strict: bool,
) -> Result<(u64, Vec<Trouble>)> {
    let source = open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut lines = Lines::new(source);
    let (mut count, mut troubles, mut batch) = (0, Vec::new(), Vec::new());
    let mut currency = data.store.note("currency")?;
    while let Some(chunk) = lines.next_chunk()? {
        for (line, bytes) in (chunk.first_line..).zip(chunk.bytes.split(|b| *b == b'\n')) {
            if bytes.trim_ascii().is_empty() && !chunk.too_long.contains(&line) {
                continue;
            }
            let parsed = match bytes.len() > LONGEST_LINE || chunk.too_long.contains(&line) {
                true => Err(bad("line", format!("longer than {LONGEST_LINE} bytes"))),
                false => parse(bytes),
            };
            let kept = parsed
                .and_then(|parsed| keep(parsed, bytes, &mut currency, &data.taxonomy, reader));
            match kept {
                Ok(item) => {
                    batch.push(item);
                    count += 1;
                }
                Err(what) if strict => bail!("{} line {line}: {what}", file.display()),
                Err(what) => troubles.push(Trouble { line, what }),
            }
            if batch.len() >= BATCH {
                data.store.put_items(&std::mem::take(&mut batch))?;
            }
        }
    }
    data.store.put_items(&batch)?;
    // A server that runs beside this looks at them again.
    data.store.set_note(crate::serve::ITEMS_CHANGED, &jiff::Timestamp::now().to_string())?;
    if let Some(currency) = currency {
        data.store.set_note("currency", &currency)?;
    }
    Ok((count, troubles))
}

/// The inventory of a store.
///
/// # Errors
/// When the store refuses, or holds an item that this version did not write.
pub fn inventory(data: &mut Data) -> Result<Inventory> {
    let stored = data.store.items()?;
    let items = with_terms(&stored, &terms(data)?)?;
    Ok(Inventory::build(items, data.taxonomy.leaves().len()))
}

/// The terms of the campaigns that have some of their own.
///
/// # Errors
/// When the store refuses, or holds terms that this version did not write.
pub fn terms(data: &mut Data) -> Result<BTreeMap<String, CampaignTerms>> {
    let terms = data.store.campaigns()?.into_iter();
    terms.map(|(id, body)| Ok((id, CampaignTerms::kept(&body)?))).collect()
}

/// Items as they are ranked: ads under the terms of their campaigns.
///
/// # Errors
/// When this version did not write one.
pub fn with_terms(
    stored: &[StoredItem],
    terms: &BTreeMap<String, CampaignTerms>,
) -> Result<Vec<Item>> {
    let one = |stored: &StoredItem| {
        let parsed = parse(stored.body.as_bytes()).map_err(|_| {
            anyhow::anyhow!("the store holds an item that this version cannot read")
        })?;
        let interests = stored.found.iter().map(|(interest, weight, _)| (*interest, *weight));
        let mut item = Item { interests: interests.collect(), ..parsed.item };
        if let Some(campaign) = &mut item.campaign
            && let Some(terms) = terms.get(&campaign.id)
        {
            terms.hold_for(campaign);
        }
        Ok(item)
    };
    stored.iter().map(one).collect()
}
