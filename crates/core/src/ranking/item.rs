//! What can be shown.

use super::place::Place;
use crate::chat::Region;
use crate::reading::Weight;
use crate::taxonomy::Interest;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Where a recommendation shows; each kind of item has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Surface {
    /// Ads of campaigns.
    Ads,
    /// Posts of friends, and suggested ones.
    Posts,
    /// Reels.
    Reels,
    /// Groups.
    Groups,
}

impl Surface {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Ads, Self::Posts, Self::Reels, Self::Groups];

    /// The name on the command line and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ads => "ads",
            Self::Posts => "posts",
            Self::Reels => "reels",
            Self::Groups => "groups",
        }
    }

    /// The surface of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// The kind of item that it shows, as items write it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Ads => "ad",
            Self::Posts => "post",
            Self::Reels => "reel",
            Self::Groups => "group",
        }
    }

    /// The surface of a kind of item.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.kind() == kind)
    }
}

/// How often a campaign may be shown to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrequencyCap {
    /// So often …
    pub count: u32,
    /// … in so many days of 24 hours.
    pub days: u16,
}

/// The campaign of an ad. Money is in millionths of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The operator's id.
    pub id: String,
    /// Who pays.
    pub advertiser: String,
    /// The most that a response (a click) is worth.
    pub bid: u64,
    /// ISO 4217.
    pub currency: String,
    /// The most that may be spent.
    pub budget: u64,
    /// How often one person may see it.
    pub frequency_cap: Option<FrequencyCap>,
    /// Is it held back for now?
    pub paused: bool,
}

/// One thing that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The operator's id.
    pub id: String,
    /// Where it shows.
    pub surface: Surface,
    /// What people see of it.
    pub title: String,
    /// BCP 47 primary language.
    pub language: Option<String>,
    /// Where it may be shown; everywhere, when empty.
    pub regions: BTreeSet<Region>,
    /// Where it is.
    pub place: Option<Place>,
    /// Whose it is, as requests name friends.
    pub author: Option<String>,
    /// Only for the author's friends?
    pub friends_only: bool,
    /// 0 to 1000.
    pub quality: u16,
    /// When it was made.
    pub created: Timestamp,
    /// Of an ad.
    pub campaign: Option<Campaign>,
    /// What it is about, strongest first. Nothing, when it touches a protected subject: such an
    /// item is never chosen because of a profile.
    pub interests: Vec<(Interest, Weight)>,
}

impl Item {
    /// The interests by which it can be found, at most [`super::index::WIDTH`], each with its
    /// impact (1 to 255): relative to the strongest, and up to half less for a low quality. Of two
    /// items on the same thing the better one is found first, and few blocks of the index tie.
    pub fn impacts(&self) -> impl Iterator<Item = (Interest, u8)> {
        let strongest = self.interests.iter().map(|(_, w)| w.0).max().unwrap_or(1).max(1);
        self.interests.iter().take(super::index::WIDTH).map(move |(interest, weight)| {
            let quality = 500 + u32::from(self.quality.min(1000)) / 2;
            let impact = u32::from(weight.0) * quality * 255 / u32::from(strongest) / 1000;
            (*interest, u8::try_from(impact.clamp(1, 255)).unwrap_or(u8::MAX))
        })
    }
}
