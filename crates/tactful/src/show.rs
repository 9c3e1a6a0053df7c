//! Profiles and slates as people and programs read them.

use crate::data::Data;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;
use tactful_core::chat::Tag;
use tactful_core::ledger::Contribution;
use tactful_core::policy::Policy;
use tactful_core::profile::{self, Lens, Person, UNIT};
use tactful_core::ranking::exclude::Setting;
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::Surface;
use tactful_core::ranking::slate::{Slot, slate};
use tactful_core::standing::{About, Taste};
use tactful_core::taxonomy::{Interest, Taxonomy};
use tactful_store::StoreError;

/// Rows behind an interest that are named, the weightiest first.
const SOURCES: usize = 10;

/// A profile.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProfileView {
    /// The person: the first of the accounts' tags.
    pub person: String,
    /// The accounts.
    pub accounts: Vec<AccountView>,
    /// The interests, the weightiest first.
    pub interests: Vec<InterestView>,
}

/// An account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    /// Its app.
    pub platform: String,
    /// Its tag.
    pub account: String,
}

/// An interest with what is behind it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct InterestView {
    /// The leaf.
    pub id: String,
    /// 1.0 is what one certain fresh turn gives.
    pub weight: f64,
    /// The weightiest of what is behind it.
    pub sources: Vec<SourceView>,
}

/// What a row came from. Never the words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
pub struct SourceView {
    /// The app.
    pub platform: String,
    /// `chat`, `like`, `follow`, `join`, `view`.
    pub kind: &'static str,
    /// The tag of the conversation or of the activity.
    pub source: String,
    /// The day (UTC).
    pub day: String,
}

/// A place of a slate.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SlotView {
    /// The item's id.
    pub item: String,
    /// Its title, as it is shown.
    pub title: String,
    /// Points; of an ad, bid × estimated response in millionths of its currency.
    pub score: u64,
    /// Why it is here.
    pub reasons: Vec<ReasonView>,
    /// The place that it would have had without the interests that brought it.
    pub rank_without: Option<usize>,
    /// Of an ad: what a response costs the advertiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// Of an ad: who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertiser: Option<String>,
    /// Whose it is, as requests name friends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// A part of a score.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReasonView {
    /// An interest, with what is behind it.
    Interest {
        /// The leaf.
        id: String,
        /// What it brought.
        points: u64,
        /// The weightiest of what is behind it; empty when the person named the interest.
        sources: Vec<SourceView>,
    },
    /// It is near.
    Near {
        /// How near.
        kilometres: u32,
        /// What that brought.
        points: u64,
    },
    /// A friend made it.
    Friend {
        /// What that brought.
        points: u64,
    },
    /// It is new.
    Fresh {
        /// What that brought.
        points: u64,
    },
    /// It is good.
    Quality {
        /// What that brought.
        points: u64,
    },
}

/// The profile of a person at an instant.
pub fn profile_view(
    person: &Person,
    policy: &Policy,
    taxonomy: &Taxonomy,
    at: Timestamp,
) -> ProfileView {
    let lens = Lens::new(policy, person, at);
    let behind = profile::behind(&person.rows, &lens);
    let interests = profile::reduce(&person.rows, &lens)
        .heaviest()
        .into_iter()
        .map(|(interest, weight)| InterestView {
            id: taxonomy.id(interest).to_owned(),
            weight: weight as f64 / UNIT as f64,
            sources: behind.get(&interest).map_or_else(Vec::new, |rows| sources(rows, person)),
        })
        .collect();
    let accounts = person.members.iter().map(|member| AccountView {
        platform: member.platform.as_str().to_owned(),
        account: member.account.to_string(),
    });
    ProfileView {
        person: person.members.first().map(|m| m.account.to_string()).unwrap_or_default(),
        accounts: accounts.collect(),
        interests,
    }
}

fn sources(rows: &[(&Contribution, u64)], person: &Person) -> Vec<SourceView> {
    let mut found = Vec::new();
    for (row, _) in rows {
        let platform = person.members.iter().find(|member| member.account == row.account);
        let source = SourceView {
            platform: platform.map_or_else(String::new, |m| m.platform.as_str().to_owned()),
            kind: row.source.as_str(),
            source: row.conversation.to_string(),
            day: jiff::tz::Offset::UTC.to_datetime(row.at).date().to_string(),
        };
        if !found.contains(&source) {
            found.push(source);
        }
        if found.len() == SOURCES {
            break;
        }
    }
    found
}

/// What a request brings.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose feed.
    pub account: Tag,
    /// Which part of it.
    pub surface: Surface,
    /// How many.
    pub k: usize,
    /// When.
    pub at: Timestamp,
    /// Where the person is; not kept.
    pub place: Option<tactful_core::ranking::place::Place>,
    /// The person's friends; not kept.
    pub friends: BTreeSet<String>,
    /// Does the request carry a signal that counts as opting out, where the policy heeds it?
    pub opted_out: bool,
}

/// The least that a response costs an advertiser, in millionths of the currency.
pub const RESERVE: u64 = 10_000;

/// The slate that answers a request, with the person it was made for.
///
/// # Errors
/// When the store refuses.
pub fn recommend<'a>(
    data: &mut Data,
    inventory: &'a Inventory,
    policy: &Policy,
    request: &Request,
) -> Result<(Vec<Slot<'a>>, Vec<SlotView>), StoreError> {
    let mut person = data.store.person(request.account, request.at, policy.cross_platform)?;
    if request.opted_out {
        crate::serve::signals::heed(policy, &mut person, request.at);
    }
    let lens = Lens::new(policy, &person, request.at);
    let setting = setting(data, inventory, policy, &person, &lens, request)?;
    let profile = profile::reduce(&person.rows, &lens);
    let slots = slate(inventory, request.surface, request.k, &setting, &profile, |causes| {
        let without = lens.clone().without(causes.iter().copied());
        profile::reduce(&person.rows, &without)
    });
    let behind = profile::behind(&person.rows, &lens);
    let views = slots.iter().map(|slot| {
        let sources = |interest: &Interest| {
            behind.get(interest).map_or_else(Vec::new, |rows| sources(rows, &person))
        };
        slot_view(slot, &data.taxonomy, sources)
    });
    let views = views.collect();
    Ok((slots, views))
}

fn setting(
    data: &mut Data,
    inventory: &Inventory,
    policy: &Policy,
    person: &Person,
    lens: &Lens,
    request: &Request,
) -> Result<Setting, StoreError> {
    let asking = person.members.iter().find(|member| member.account == request.account);
    let mut setting = Setting {
        now: request.at,
        place: request.place,
        friends: request.friends.clone(),
        reserve: RESERVE,
        region: asking.and_then(|m| m.history.standing(policy, request.at).region),
        language: asking.and_then(|member| member.history.language(request.at)),
        ..Setting::default()
    };
    for member in &person.members {
        for said in &member.history.preferences {
            if let About::Advertiser(advertiser) = &said.about {
                let taste: Taste = lens.advertiser(advertiser);
                setting.advertisers.insert(advertiser.clone(), taste);
            }
        }
    }
    if request.surface == Surface::Ads {
        setting.spent = data.store.spent()?;
        let accounts: Vec<Tag> = person.members.iter().map(|member| member.account).collect();
        for (item, at) in data.store.shown_since(accounts, Timestamp::MIN)? {
            let found = inventory.items().binary_search_by(|other| other.id.cmp(&item));
            let campaign = found.ok().and_then(|n| inventory.items()[n].campaign.as_ref());
            if let Some(campaign) = campaign {
                setting.shown.entry(campaign.id.clone()).or_default().push(at);
            }
        }
    }
    Ok(setting)
}

fn slot_view(
    slot: &Slot,
    taxonomy: &Taxonomy,
    sources: impl Fn(&Interest) -> Vec<SourceView>,
) -> SlotView {
    let parts = &slot.parts;
    let mut reasons: Vec<ReasonView> = parts
        .interests
        .iter()
        .map(|(interest, points)| ReasonView::Interest {
            id: taxonomy.id(*interest).to_owned(),
            points: *points,
            sources: sources(interest),
        })
        .collect();
    if let (Some(kilometres), points @ 1..) = (parts.kilometres, parts.nearness) {
        reasons.push(ReasonView::Near { kilometres, points });
    }
    if parts.friendship > 0 {
        reasons.push(ReasonView::Friend { points: parts.friendship });
    }
    reasons.push(ReasonView::Fresh { points: parts.freshness });
    reasons.push(ReasonView::Quality { points: parts.quality });
    let score = match slot.won {
        // bid and response are both in millionths.
        Some(_) => slot.score() / 1_000_000,
        None => slot.score(),
    };
    SlotView {
        item: slot.item.id.clone(),
        title: slot.item.title.clone(),
        score: u64::try_from(score).unwrap_or(u64::MAX),
        reasons,
        rank_without: slot.rank_without,
        price: slot.won.map(|won| won.price as f64 / 1e6),
        advertiser: slot.item.campaign.as_ref().map(|campaign| campaign.advertiser.clone()),
        author: slot.item.author.clone(),
    }
}

/// A profile for people to read.
pub fn profile_text(view: &ProfileView, taxonomy: &Taxonomy) -> String {
    let mut text = String::new();
    let accounts: Vec<_> = view.accounts.iter().map(|a| a.platform.as_str()).collect();
    let _ = writeln!(text, "Interests of {} ({})", short(&view.person), accounts.join(", "));
    if view.interests.is_empty() {
        let _ = writeln!(text, "  none");
    }
    let top = view.interests.first().map_or(1.0, |interest| interest.weight);
    for interest in &view.interests {
        let bar = "█".repeat(((interest.weight / top * 20.0).ceil() as usize).min(20));
        let name = taxonomy.find(&interest.id).and_then(|i| taxonomy.leaf(i));
        let name = name.map_or("", |leaf| leaf.name.as_str());
        let _ = writeln!(text, "  {bar:<20} {:>6.2}  {name} ({})", interest.weight, interest.id);
        for line in source_lines(&interest.sources) {
            let _ = writeln!(text, "  {:<20}         {line}", "");
        }
    }
    text
}

fn source_lines(sources: &[SourceView]) -> Vec<String> {
    let shown = sources.iter().take(3);
    let mut lines: Vec<String> = shown
        .map(|s| format!("from a {} on {} of {} ({})", s.kind, s.platform, s.day, short(&s.source)))
        .collect();
    if sources.len() > 3 {
        lines.push(format!("and {} more", sources.len() - 3));
    }
    lines
}

fn short(tag: &str) -> &str {
    tag.get(..8).unwrap_or(tag)
}

/// A slate for people to read.
pub fn slate_text(surface: Surface, slots: &[SlotView], taxonomy: &Taxonomy) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", surface.as_str());
    if slots.is_empty() {
        let _ = writeln!(text, "  nothing to show");
    }
    for (place, slot) in (1..).zip(slots) {
        let price = slot.price.map(|price| format!("  [ad, {price:.2} a response]"));
        let _ = writeln!(text, "  {place}. {}{}", slot.title, price.unwrap_or_default());
        for reason in &slot.reasons {
            let line = match reason {
                ReasonView::Interest { id, sources, .. } => {
                    let name = taxonomy.find(id).and_then(|i| taxonomy.leaf(i));
                    let name = name.map_or(id.as_str(), |leaf| leaf.name.as_str());
                    let from = source_lines(sources).into_iter().next().unwrap_or_default();
                    format!("because of your interest in {name}: {from}")
                }
                ReasonView::Near { kilometres, .. } => format!("{kilometres} km from here"),
                ReasonView::Friend { .. } => "by a friend".to_owned(),
                ReasonView::Fresh { .. } | ReasonView::Quality { .. } => continue,
            };
            let _ = writeln!(text, "     {line}");
        }
        if slot.reasons.iter().any(|reason| matches!(reason, ReasonView::Interest { .. })) {
            let _ = match slot.rank_without {
                Some(rank) => writeln!(text, "     without that it would be number {rank}"),
                None => writeln!(text, "     without that it would not be among the first 200"),
            };
        }
    }
    text
}
