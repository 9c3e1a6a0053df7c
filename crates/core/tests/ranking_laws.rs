//! What must hold for every inventory, profile and auction.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tactful_core::chat::Region;
use tactful_core::profile::Profile;
use tactful_core::ranking::auction::{Bid, run};
use tactful_core::ranking::exclude::{Exclusion, Setting, exclusion, facets, needs as needs_of};
use tactful_core::ranking::index::{Entry, Index, Term};
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::{Campaign, FrequencyCap, Item, Surface};
use tactful_core::ranking::place::Place;
use tactful_core::ranking::slate::rank;
use tactful_core::reading::Weight;
use tactful_core::standing::Taste;
use tactful_core::taxonomy::Interest;

const LEAVES: usize = 60;

fn now() -> Timestamp {
    "2026-01-15T09:00:00Z".parse().unwrap()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    // Few interests are common, most are rare, as in the world.
    let interest = (0u16..LEAVES as u16, 0u16..LEAVES as u16)
        .prop_map(|(a, b)| Interest(a * b / LEAVES as u16));
    let impacts = prop::collection::btree_map(interest, 1u8..=255, 0..=5);
    // Four languages and as many regions: a bit of each, or all of them.
    let facets = (0u32..5, 0u32..5).prop_map(|(language, region)| {
        let bits = |n: u32| if n == 4 { 15 } else { 1 << n };
        bits(language) << 16 | bits(region)
    });
    let some = prop::collection::vec((impacts, facets), 0..6000);
    // Several times over, with other impacts: enough that not all superblocks are opened.
    (some, 1usize..9, prop::sample::select(vec![1u8, 85, 255])).prop_map(|(some, times, step)| {
        let all = (0..times).flat_map(|n| some.iter().map(move |one| (n as u8, one)));
        // In few steps, many items are alike.
        let coarse = move |impact: u8| (impact / step).max(1);
        let entry = |(item, (n, (impacts, facets))): (u32, (u8, &(BTreeMap<_, u8>, u32)))| Entry {
            item,
            facets: *facets,
            impacts: impacts.iter().map(|(of, i)| (*of, coarse(i.rotate_left(n.into())))).collect(),
        };
        (0..).zip(all).map(entry).collect()
    })
}

fn needs() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0, 1, 1 << 16, 1 << 16 | 1, 1 << 18 | 1 << 3, 1 << 20])
}

fn terms() -> impl Strategy<Value = Vec<Term>> {
    let interest = || (0u16..LEAVES as u16).prop_map(Interest);
    prop_oneof![
        3 => prop::collection::btree_map(interest(), 1u16..=1023, 0..30),
        // Few and weak: scores are small and tie.
        1 => prop::collection::btree_map(interest(), 1u16..4, 0..3),
    ]
    .prop_map(|terms| terms.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Goal G1: the same items and scores as a full scan, ties by number, whatever is filtered.
    #[test]
    fn the_index_is_exact(
        entries in entries(), terms in terms(), k in 1usize..40, needs in needs(), every in 1u32..5,
    ) {
        let index = Index::build(&entries, LEAVES);
        let accept = |item: u32| item.is_multiple_of(every);
        let found = index.search(&terms, k, needs, accept);
        prop_assert_eq!(&found, &index.scan(&terms, k, needs, accept));
        // And the scan is the sum that its name says, over the items themselves.
        let strengths: BTreeMap<_, _> = terms.into_iter().collect();
        let fit = |e: &&Entry| accept(e.item) && e.facets & needs == needs;
        let mut scores: Vec<(u32, u32)> = entries.iter().filter(fit).map(|entry| {
            let score = entry.impacts.iter().map(|(i, impact)| u32::from(strengths.get(i).copied().unwrap_or(0)) * u32::from(*impact));
            (score.sum(), entry.item)
        }).filter(|(score, _)| *score > 0).collect();
        scores.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        scores.truncate(k);
        prop_assert_eq!(found.into_iter().map(|hit| (hit.score, hit.item)).collect::<Vec<_>>(), scores);
    }

    /// What the facets refuse, a rule excludes.
    #[test]
    fn facets_never_hide_what_may_be_shown(
        friends_only: bool, friend: bool,
        language in prop::option::of("[a-z]{2}"), theirs in prop::option::of("[a-z]{2}"), same: bool,
        regions in prop::collection::btree_set("[A-Z]{2}", 0..3), region in prop::option::of("[A-Z]{2}"), among: bool,
    ) {
        let region = if among { regions.first().cloned().or(region) } else { region };
        let item = Item {
            language: if same { theirs.clone() } else { language },
            regions: regions.iter().filter_map(|r| Region::new(r)).collect(),
            friends_only,
            author: Some("ann".to_owned()),
            ..item("i", Surface::Posts)
        };
        let setting = Setting {
            now: now(), language: theirs, region: region.and_then(|r| Region::new(&r)),
            friends: friend.then(|| "ann".to_owned()).into_iter().collect(), ..Setting::default()
        };
        let fits = facets(&item) & needs_of(&setting) == needs_of(&setting);
        prop_assert!(fits || exclusion(&setting, &item).is_some());
    }

    /// What came and went since a build is found as after a new build.
    #[test]
    fn a_changed_inventory_is_as_one_built_anew(
        first in variants(200), changes in prop::collection::vec((variants(20), went()), 1..4), terms in terms(),
        friend in prop::option::of(0u16..8), place: bool, k in 1usize..30,
    ) {
        let mut all: BTreeMap<String, Item> = first.iter().map(|i| (i.id.clone(), i.clone())).collect();
        let mut inventory = Inventory::build(first, LEAVES);
        for (come, went) in changes {
            all.extend(come.iter().map(|i| (i.id.clone(), i.clone())));
            all.retain(|id, _| !went.contains(id));
            inventory = inventory.with(come, &went);
        }
        let anew = Inventory::build(all.values().cloned(), LEAVES);
        prop_assert_eq!(inventory.items(), anew.items());
        let tied: Vec<Term> = (0..7).map(|n| (Interest(n), 1)).collect();
        let profile = Profile::of(terms.into_iter().map(|(i, strength)| (i, u64::from(strength) * 3_000)));
        let setting = Setting {
            now: now(), place: Place::new(40_000_000, -105_000_000).filter(|_| place),
            friends: friend.map(|n| format!("a{n}")).into_iter().collect(), ..Setting::default()
        };
        for surface in [Surface::Groups, Surface::Ads] {
            prop_assert_eq!(
                inventory.search(surface, &tied, k, 0, |_| true),
                anew.search(surface, &tied, k, 0, |_| true)
            );
            prop_assert_eq!(
                inventory.best(surface, k, |_| true),
                anew.best(surface, k, |_| true)
            );
            let here = Place::new(40_000_000, -105_000_000).unwrap();
            for every in [1, 3] {
                let accept = |item: &Item| u16::from(item.id.as_bytes()[item.id.len() - 1]) % every == 0;
                let mut near: Vec<(u32, &Item)> = all.values().filter(|i| i.surface == surface && accept(i))
                    .filter_map(|item| Some((here.kilometres(item.place?), item))).collect();
                near.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
                let near: Vec<&Item> = near.into_iter().take(k).map(|(_, item)| item).collect();
                prop_assert_eq!(inventory.nearest(surface, here, k, accept), near);
            }
            prop_assert_eq!(
                rank(&inventory, surface, k, &setting, &profile),
                rank(&anew, surface, k, &setting, &profile)
            );
        }
    }

    /// A1 to A3 and A6 of a second-price auction.
    #[test]
    fn the_auction_is_fair(
        bids in prop::collection::vec((1u64..5_000_000, 1u64..500_000), 0..30),
        slots in 0usize..8, reserve in 0u64..1_000_000, raise in 1u64..3_000_000, who in 0usize..30,
    ) {
        let bids: Vec<Bid> = (0..).zip(bids).map(|(bidder, (bid, response))| Bid { bidder, bid, response }).collect();
        let won = run(bids.clone(), slots, reserve);
        prop_assert!(won.len() <= slots);
        prop_assert!(won.iter().all(|w| reserve <= w.price && w.price <= w.bid.bid));
        prop_assert!(won.windows(2).all(|pair| pair[0].bid.score() >= pair[1].bid.score()));
        prop_assert_eq!(won.iter().map(|w| w.bid.bidder).collect::<BTreeSet<_>>().len(), won.len());
        let mut reversed = bids.clone();
        reversed.reverse();
        prop_assert_eq!(&won, &run(reversed, slots, reserve));
        if let Some(one) = bids.get(who) {
            let mut raised = bids.clone();
            raised[who].bid += raise;
            let after = run(raised, slots, reserve);
            let place = |won: &[tactful_core::ranking::auction::Won]| {
                won.iter().position(|w| w.bid.bidder == one.bidder).unwrap_or(usize::MAX)
            };
            prop_assert!(place(&after) <= place(&won), "raising a bid never loses a place");
            if place(&after) == place(&won) && place(&won) < usize::MAX {
                prop_assert_eq!(after[place(&after)].price, won[place(&won)].price, "nor changes the price of the same place");
            }
        }
    }
}

/// Items of few ids, so that they come again, and of few qualities, so that they tie.
fn variants(most: usize) -> impl Strategy<Value = Vec<Item>> {
    let one = (0u16..300, 0u16..LEAVES as u16, 0u16..4, 0u16..8, 0i64..3, any::<bool>()).prop_map(
        |(n, interest, quality, author, north, private)| Item {
            quality: quality * 300,
            author: Some(format!("a{author}")),
            friends_only: private,
            place: Place::new(39_000_000 + north * 700_000, -105_000_000),
            interests: vec![
                (Interest(interest % 7), Weight(900)),
                (Interest(interest), Weight(500)),
            ],
            ..match n % 2 {
                0 => item(&format!("{n:03}"), Surface::Groups),
                _ => ad(&format!("{n:03}")),
            }
        },
    );
    prop::collection::vec(one, 0..most)
}

fn went() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set((0u16..300).prop_map(|n| format!("{n:03}")), 0..20)
}

fn item(id: &str, surface: Surface) -> Item {
    Item {
        id: id.to_owned(),
        surface,
        title: id.to_owned(),
        language: Some("en".to_owned()),
        regions: BTreeSet::new(),
        place: None,
        author: None,
        friends_only: false,
        quality: 500,
        created: "2025-12-01T00:00:00Z".parse().unwrap(),
        campaign: None,
        interests: vec![(Interest(0), Weight(900))],
    }
}

fn ad(id: &str) -> Item {
    let campaign = Campaign {
        id: id.to_owned(),
        advertiser: "acme".to_owned(),
        bid: 1_000_000,
        currency: "USD".to_owned(),
        budget: 5_000_000,
        frequency_cap: Some(FrequencyCap { count: 2, days: 1 }),
        paused: false,
    };
    Item { campaign: Some(campaign), ..item(id, Surface::Ads) }
}

/// One case for each rule: an item that it excludes, in a setting where nothing else does.
#[test]
fn every_exclusion_decides_a_case() {
    let here = Setting {
        now: now(),
        reserve: 10_000,
        language: Some("en".to_owned()),
        ..Setting::default()
    };
    let hidden = [("acme".to_owned(), Taste::Never)].into();
    let shown = [("a".to_owned(), vec![now() - jiff::SignedDuration::from_hours(1); 2])].into();
    let spent = [("a".to_owned(), 5_000_000)].into();
    let us = Region::new("US").unwrap();
    let mut paused = ad("a");
    if let Some(campaign) = &mut paused.campaign {
        campaign.paused = true;
    }
    let cases = [
        (here.clone(), paused, Exclusion::Paused),
        (
            Setting { now: "2025-01-01T00:00:00Z".parse().unwrap(), ..here.clone() },
            item("a", Surface::Posts),
            Exclusion::NotYet,
        ),
        (
            here.clone(),
            Item { friends_only: true, author: Some("x".to_owned()), ..item("a", Surface::Posts) },
            Exclusion::Private,
        ),
        (
            here.clone(),
            Item { regions: [us].into(), ..item("a", Surface::Groups) },
            Exclusion::Region,
        ),
        (
            here.clone(),
            Item { language: Some("de".to_owned()), ..item("a", Surface::Reels) },
            Exclusion::Language,
        ),
        (Setting { advertisers: hidden, ..here.clone() }, ad("a"), Exclusion::Advertiser),
        (Setting { shown, ..here.clone() }, ad("a"), Exclusion::Capped),
        (Setting { spent, ..here.clone() }, ad("a"), Exclusion::Spent),
        (Setting { reserve: 2_000_000, ..here.clone() }, ad("a"), Exclusion::Reserve),
    ];
    for (setting, item, expected) in &cases {
        assert_eq!(exclusion(setting, item), Some(*expected));
        let usual = if item.campaign.is_some() {
            ad("a")
        } else {
            Item { surface: item.surface, ..self::item("a", item.surface) }
        };
        assert_eq!(exclusion(&here, &usual), None);
    }
    assert_eq!(cases.len(), tactful_core::ranking::exclude::RULES.len());
}

/// A stranger's private post is never shown, however well it fits; a friend's is.
#[test]
fn a_private_post_is_for_friends_only() {
    let post = Item {
        friends_only: true,
        author: Some("facebook:ann".to_owned()),
        ..item("p", Surface::Posts)
    };
    let inventory = Inventory::build([post], LEAVES);
    let profile = Profile::of([(Interest(0), 4_000_000)]);
    let mut setting = Setting { now: now(), ..Setting::default() };
    assert!(rank(&inventory, Surface::Posts, 10, &setting, &profile).is_empty());
    setting.friends.insert("facebook:ann".to_owned());
    assert_eq!(rank(&inventory, Surface::Posts, 10, &setting, &profile).len(), 1);
}

#[test]
fn a_near_group_comes_before_a_far_one() {
    let at = |id: &str, latitude, longitude| Item {
        place: Place::new(latitude, longitude),
        ..item(id, Surface::Groups)
    };
    let (denver, boulder) = (at("a", 39_739_000, -104_990_000), at("b", 40_015_000, -105_271_000));
    let inventory = Inventory::build([denver, boulder], LEAVES);
    let profile = Profile::of([(Interest(0), 1_000_000)]);
    let setting =
        Setting { now: now(), place: Place::new(40_010_000, -105_270_000), ..Setting::default() };
    let slots = rank(&inventory, Surface::Groups, 2, &setting, &profile);
    assert_eq!(slots.iter().map(|s| s.item.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn no_more_than_two_of_one_author() {
    let by = |n: u32, author: &str| Item {
        author: Some(author.to_owned()),
        quality: 900,
        ..item(&format!("{author}{n}"), Surface::Reels)
    };
    let all =
        (0..8).map(|n| by(n, "ann")).chain((0..3).map(|n| Item { quality: 100, ..by(n, "bob") }));
    let inventory = Inventory::build(all, LEAVES);
    let setting = Setting { now: now(), ..Setting::default() };
    let slots = rank(&inventory, Surface::Reels, 10, &setting, &Profile::default());
    let anns = slots.iter().filter(|slot| slot.item.author.as_deref() == Some("ann")).count();
    assert_eq!((anns, slots.len()), (2, 4));
}
