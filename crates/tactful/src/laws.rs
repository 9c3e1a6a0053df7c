//! P1 to P10 over random histories, through the real intake and the real store. The reader is a
//! double whose opinion is plain from the words, so that a failure is the pipeline's.

use crate::data::{Data, taxonomy};
use crate::ingest::{Options, ingest};
use crate::show::{Request, profile_view, recommend};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tactful_core::gate::Spoken;
use tactful_core::policy::Policy;
use tactful_core::profile::{Lens, reduce};
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::{Item, Surface};
use tactful_core::reading::{
    Finding, Judgement, Level, ModelId, Reader, Reading, Stage, Unjudged, Weight,
};
use tactful_core::taxonomy::Interest;
use tactful_store::inventory::Shown;

const POLICY: &str = include_str!("../../../policies/announced-2025-12-16.toml");

/// `ILL` is sensitive, `HU` is a language that it does not know; other words are interests.
struct Double;

impl Reader for Double {
    fn read(&self, spoken: &Spoken) -> Reading {
        let said: Vec<&str> = spoken.words().split(' ').collect();
        if said.contains(&"HU") {
            return Reading { language: None, judged: Err(Unjudged::Language) };
        }
        let ill = said.contains(&"ILL") || spoken.context().any(|(_, w)| w.contains("ILL"));
        let interest = |word: &&str| match *word {
            "hike" => Some(0),
            "fish" => Some(3),
            "golf" => Some(24),
            _ => None,
        };
        // Said with more words it weighs more, so that two versions of a turn differ.
        let weight = 600 + 100 * said.len().min(4) as u16;
        let findings = said.iter().filter_map(interest).map(|n| Finding {
            interest: Interest(n),
            weight: Weight(weight),
            stage: Stage::Doing,
        });
        let judgement = Judgement {
            subjects: [Level(0); 7],
            touched: [ill, false, false, false, false, false, false],
            findings: findings.collect(),
        };
        Reading { language: Some(*b"en"), judged: Ok(judgement) }
    }

    fn model(&self) -> ModelId {
        ModelId(1)
    }
}

struct World {
    folder: tempfile::TempDir,
    data: Data,
    policy: Policy,
    logs: usize,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, "5".repeat(64)).unwrap();
        let data = Data::open(&folder.path().join("data"), Some(&key), None, true).unwrap();
        Self { folder, data, policy: Policy::parse(POLICY).unwrap(), logs: 0 }
    }

    fn of(events: &[Value]) -> Self {
        let mut world = Self::new();
        world.take(events);
        world
    }

    fn take(&mut self, events: &[Value]) {
        self.logs += 1;
        let log = self.folder.path().join(format!("log{}", self.logs));
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        std::fs::write(&log, lines).unwrap();
        let options = Options { strict: true, progress: false };
        ingest(std::slice::from_ref(&log), &mut self.data, &self.policy, &Double, &options)
            .unwrap();
        std::fs::remove_file(log).unwrap();
    }

    fn profiles(&mut self, at: &str) -> Vec<String> {
        let at = instant(at);
        let mut profiles = Vec::new();
        for account in self.data.store.accounts().unwrap() {
            let person = self.data.store.person(account, at, self.policy.cross_platform).unwrap();
            let view = profile_view(&person, &self.policy, &self.data.taxonomy, at);
            if !view.interests.is_empty() {
                profiles.push(serde_json::to_string(&view).unwrap());
            }
        }
        profiles.sort();
        profiles.dedup();
        profiles
    }

    /// Every row of every table but those that P1 and P4 leave out by name.
    fn rows(&self, but: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
        let file = self.folder.path().join("data/tactful.sqlite");
        let db = rusqlite::Connection::open(file).unwrap();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
        let mut names = db.prepare(tables).unwrap();
        let names: Vec<String> =
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut all = BTreeMap::new();
        for name in names.into_iter().filter(|name| !but.contains(&name.as_str())) {
            let mut rows = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = rows.column_count();
            let rows = rows
                .query_map([], |row| {
                    (0..columns)
                        .map(|c| row.get::<_, rusqlite::types::Value>(c).map(|v| format!("{v:?}")))
                        .collect::<Result<Vec<_>, _>>()
                })
                .unwrap();
            all.insert(name, rows.map(|row| row.unwrap().join("|")).collect());
        }
        all
    }

    /// Do these bytes stand in any file of the data?
    fn holds(&self, canary: &str) -> bool {
        fn walk(folder: &Path, canary: &[u8]) -> bool {
            std::fs::read_dir(folder).unwrap().map(Result::unwrap).any(|entry| {
                let path = entry.path();
                match path.is_dir() {
                    true => walk(&path, canary),
                    false => memchr::memmem::find(&std::fs::read(path).unwrap(), canary).is_some(),
                }
            })
        }
        walk(self.folder.path(), canary.as_bytes())
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOW: &str = "2026-03-01T00:00:00Z";
const ACCOUNTS: [&str; 4] = ["whatsapp:1", "facebook:1", "instagram:2", "messenger:3"];
const UNTOLD: &str = "facebook:untold";
const ABROAD: &str = "facebook:abroad";
const NOWHERE: &str = "facebook:nowhere";
const YOUNG: &str = "facebook:young";

fn day(day: u16) -> String {
    let at =
        instant("2025-12-18T00:00:00Z") + jiff::SignedDuration::from_hours(i64::from(day) * 12);
    at.to_string()
}

fn turn(account: &str, conversation: &str, turn: &str, at: &str, text: &str) -> Value {
    json!({"type": "turn", "at": at, "account": account, "conversation": conversation, "turn": turn,
           "role": "user", "audience": "assistant", "encrypted": false, "modality": "text",
           "product": "assistant", "text": text})
}

/// Every account is known, in the United States and told in time.
fn known() -> Vec<Value> {
    let known = |account: &&str| {
        [
            json!({"type": "account", "at": "2025-10-01T00:00:00Z", "account": account,
                   "region": "US", "language": "en", "birth_date": "1980-01-01"}),
            json!({"type": "notice", "at": "2025-10-08T00:00:00Z", "account": account,
                   "notice": "n", "version": "1", "channel": "email",
                   "delivered": "2025-10-08T00:00:00Z"}),
        ]
    };
    let about = |account: &str, at: &str, field: &str, value: &str| json!({"type": "account", "at": at, "account": account, field: value});
    let before = "2025-10-01T00:00:00Z";
    let told = |account: &str| {
        let [_, told] = known(&account);
        told
    };
    let mut all: Vec<Value> = ACCOUNTS.iter().flat_map(known).collect();
    // One of each kind that may not be learned from.
    all.extend([about(UNTOLD, before, "region", "US")]);
    all.extend([about(ABROAD, before, "region", "DE"), told(ABROAD)]);
    all.extend([about(NOWHERE, before, "language", "en"), told(NOWHERE)]);
    all.extend([about(YOUNG, before, "region", "US"), told(YOUNG)]);
    all.extend([about(YOUNG, before, "birth_date", "2015-01-01")]);
    all
}

fn account() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ACCOUNTS[..])
}

fn said() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "hike",
        "hike fish",
        "golf",
        "hello",
        "fish golf",
        "ILL",
        "HU hike",
        "hike hike",
    ]);
    // Few ids: many a turn comes in several versions.
    (account(), 0u8..5, 0u8..3, 0u16..60, words).prop_map(|(account, c, t, at, words)| {
        turn(account, &format!("c{c}"), &format!("t{t}"), &day(at), words)
    })
}

fn other() -> impl Strategy<Value = Value> {
    let at = 0u16..60;
    prop_oneof![
        (account(), 0u8..9, at.clone(), prop::sample::select(vec!["hike", "golf", "ILL"])).prop_map(
            |(account, a, at, text)| json!({"type": "activity", "at": day(at), "account": account,
                "activity": format!("a{a}"), "kind": "like", "text": text})
        ),
        (account(), account(), at.clone()).prop_filter_map("two accounts", |(a, b, at)| {
            (a != b).then(|| json!({"type": "link", "at": day(at), "accounts": [a, b]}))
        }),
        (account(), at.clone())
            .prop_map(|(a, at)| json!({"type": "unlink", "at": day(at), "account": a})),
        (account(), at.clone(), prop::sample::select(vec!["US", "DE", "KR", "CA"])).prop_map(
            |(a, at, region)| json!({"type": "account", "at": day(at), "account": a, "region": region})
        ),
        (account(), at.clone(), prop::sample::select(vec!["less", "never", "more", "clear"])).prop_map(
            |(a, at, wish)| json!({"type": "preference", "at": day(at), "account": a,
                "interest": "outdoors.hiking", "wish": wish})
        ),
        (account(), at.clone(), prop::sample::select(vec!["in", "out"])).prop_map(
            |(a, at, chats)| json!({"type": "choice", "at": day(at), "account": a, "chats": chats})
        ),
        (account(), 0u8..5, at.clone()).prop_map(|(a, c, at)| json!({"type": "delete",
            "at": day(at), "account": a, "conversation": format!("c{c}")})),
        (account(), at.clone()).prop_map(|(a, at)| json!({"type": "delete", "at": day(at),
            "account": a, "interest": "outdoors.fishing"})),
        (account(), at).prop_map(|(a, at)| json!({"type": "delete", "at": day(at), "account": a})),
    ]
}

fn history() -> impl Strategy<Value = Vec<Value>> {
    let events = prop_oneof![3 => said(), 2 => other()];
    prop::collection::vec(events, 0..40).prop_map(|events| [known(), events].concat())
}

fn is_turn(event: &Value) -> bool {
    event["type"] == "turn"
}

/// Does it change whether turns of its account are let in: a move, or the deletion of everything?
fn is_standing(event: &Value) -> bool {
    let of_all = ["conversation", "turn", "activity", "interest"];
    event["type"] == "account"
        || event["type"] == "delete" && of_all.iter().all(|part| event[part].is_null())
}

/// A turn that may not leave a trace, in a conversation of its own.
fn inadmissible() -> impl Strategy<Value = Value> {
    (account(), 0u8..14).prop_map(|(account, why)| {
        let mut turn = turn(account, "inadmissible", "x", &day(30), "hike golf CANARY9137");
        match why {
            0 => turn["encrypted"] = json!(true),
            1 => turn["audience"] = json!("people"),
            2 => turn["role"] = json!("assistant"),
            3 => turn["at"] = json!("2025-12-15T00:00:00Z"),
            4 => turn["account"] = json!("facebook:nobody-knows"),
            5 => turn["text"] = json!("hike ILL CANARY9137"),
            6 => turn["text"] = json!("hike HU CANARY9137"),
            7 => turn["context"] = json!([{"role": "assistant", "text": "ILL CANARY9137"}]),
            8 => turn["account"] = json!(UNTOLD),
            9 => turn["account"] = json!(ABROAD),
            10 => turn["account"] = json!(NOWHERE),
            11 => turn["account"] = json!(YOUNG),
            12 => turn["product"] = json!("toaster"),
            _ => turn["account"] = json!("myspace:1"),
        }
        turn
    })
}

/// What P1 lets change, and the bookkeeping of which log was read.
const P1_MAY_CHANGE: [&str; 3] = ["counter", "seal", "log_position"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn p1_nothing_inadmissible_leaves_a_trace(events in history(), one in inadmissible(), at in 0usize..40) {
        let mut with = events.clone();
        with.insert(at.min(with.len()), one);
        let (mut without, mut with) = (World::of(&events), World::of(&with));
        prop_assert_eq!(without.rows(&P1_MAY_CHANGE), with.rows(&P1_MAY_CHANGE));
        prop_assert_eq!(without.profiles(NOW), with.profiles(NOW));
        prop_assert!(!with.holds("CANARY9137"));
    }

    #[test]
    fn p2_a_conversation_is_sensitive_as_a_whole(before in 0u8..4, after in 0u8..4, events in history()) {
        // The sensitive turn has to be admissible: one that is refused is not read, and shuts nothing.
        let events: Vec<Value> = events.into_iter().filter(|e| e["account"] != ACCOUNTS[0]
            || e["at"].as_str() < Some("2025-12") || !is_standing(e)).collect();
        let mut with = events.clone();
        for n in 0..before {
            with.push(turn(ACCOUNTS[0], "whole", &format!("b{n}"), &day(20 + u16::from(n)), "hike golf"));
        }
        with.push(turn(ACCOUNTS[0], "whole", "ill", &day(30), "ILL"));
        for n in 0..after {
            with.push(turn(ACCOUNTS[0], "whole", &format!("a{n}"), &day(40 + u16::from(n)), "hike fish"));
        }
        // What came before is there already when the sensitive turn comes.
        let (first, then) = with.split_at(events.len() + usize::from(before));
        let (mut never, mut with) = (World::of(&events), World::of(first));
        with.take(then);
        prop_assert_eq!(never.profiles(NOW), with.profiles(NOW));
        // Not only unseen: gone.
        prop_assert_eq!(&never.rows(&[])["contribution"], &with.rows(&[])["contribution"]);
    }

    /// The whole log in any order, any of it twice, in one run.
    #[test]
    fn p3_order_and_repetition_do_not_matter(
        (events, shuffled) in history().prop_flat_map(|h| (Just(h.clone()), Just([h.clone(), h].concat()).prop_shuffle()))
    ) {
        prop_assert_eq!(World::of(&events).profiles(NOW), World::of(&shuffled).profiles(NOW));
    }

    /// What was said, in any order over several runs, once it is known who said it.
    #[test]
    fn p3_turns_may_come_in_any_run(
        (events, turns) in history().prop_flat_map(|h| {
            let turns: Vec<_> = h.iter().filter(|e| is_turn(e)).cloned().collect();
            (Just(h), Just(turns).prop_shuffle())
        }),
        cut in 0usize..40,
    ) {
        let mut world = World::new();
        let others: Vec<_> = events.iter().filter(|e| !is_turn(e)).cloned().collect();
        let (first, second) = turns.split_at(cut.min(turns.len()));
        world.take(&[others, first.to_vec()].concat());
        world.take(second);
        world.take(first);
        prop_assert_eq!(World::of(&events).profiles(NOW), world.profiles(NOW));
    }

    /// What is known may come late when it takes something away: nothing of it stays then. What a
    /// turn shut that was let in at the time stays shut (decision 0001): nothing more is held than
    /// had it been known at once, and the same where nothing was shut.
    #[test]
    fn p3_a_late_exclusion_still_excludes(events in history(), a in account()) {
        let moved = json!({"type": "account", "at": day(0), "account": a, "region": "DE"});
        let rows = |world: &World| world.rows(&P1_MAY_CHANGE)["contribution"].clone();
        let both = |events: &[Value]| {
            let at_once = World::of(&[events.to_vec(), vec![moved.clone()]].concat());
            let mut late = World::of(events);
            late.take(std::slice::from_ref(&moved));
            (at_once, late)
        };
        let (at_once, late) = both(&events);
        prop_assert!(rows(&late).is_subset(&rows(&at_once)));
        let shuts = |e: &Value| e["text"].as_str().is_some_and(|t| t.contains("ILL") || t.contains("HU"));
        // One version of each turn: of two that differ, one may have been let in and the other not.
        let mut once = BTreeSet::new();
        let mut first = |e: &Value| once.insert(["account", "conversation", "turn"].map(|f| e[f].to_string()));
        let open: Vec<_> =
            events.iter().filter(|e| !is_turn(e) || (!shuts(e) && first(e))).cloned().collect();
        let (mut at_once, mut late) = both(&open);
        prop_assert_eq!(at_once.profiles(NOW), late.profiles(NOW));
        prop_assert_eq!(rows(&at_once), rows(&late));
    }

    #[test]
    fn p4_deletion_is_exact(
        events in history(), extra in prop::collection::vec(0u16..60, 1..6), what in 0u8..4, later: bool
    ) {
        let account = ACCOUNTS[1];
        let mut with = events.clone();
        for (n, at) in extra.iter().enumerate() {
            with.push(match what {
                2 => json!({"type": "activity", "at": day(*at), "account": account, "activity": "gone",
                            "kind": "like", "text": "golf"}),
                1 => turn(account, "kept", "gone", &day(*at), "golf hike"),
                _ => turn(account, "gone", &format!("g{n}"), &day(*at), "golf hike"),
            });
        }
        let mut delete = json!({"type": "delete", "at": day(70), "account": account});
        match what {
            0 => delete["conversation"] = json!("gone"),
            1 => { delete["conversation"] = json!("kept"); delete["turn"] = json!("gone"); }
            2 => delete["activity"] = json!("gone"),
            _ => {}
        }
        let never = match what {
            // With the account goes all that it ever did.
            3 => events.iter().filter(|e| e["account"] != account
                && !e["accounts"].as_array().is_some_and(|a| a.contains(&json!(account)))).cloned().collect(),
            _ => events.clone(),
        };
        // Known before the rest, as within one log, or afterwards, when there are rows to take back.
        let mut with = match later {
            true => World::of(&with),
            false => World::of(&[with, vec![delete.clone()]].concat()),
        };
        let tag = account.parse::<crate::identity::Account>().unwrap().tag(&with.data.keyring);
        if later {
            let slot = Shown { account: tag, slot: tag, item: "i".to_owned(), at: instant(&day(1)), charge: None };
            with.data.store.show(&[slot]).unwrap();
            with.take(&[delete]);
        }
        let mut never = World::of(&never);
        prop_assert_eq!(never.profiles(NOW), with.profiles(NOW));
        // Not only unseen: gone.
        prop_assert_eq!(&never.rows(&[])["contribution"], &with.rows(&[])["contribution"]);
        if what == 3 {
            for (table, rows) in with.rows(&["forgotten"]) {
                prop_assert!(!rows.iter().any(|row| row.contains(&tag.to_string())), "{}", table);
            }
        }
    }

    #[test]
    fn p5_accounts_that_are_not_linked_never_mix(events in history()) {
        let no_links: Vec<_> = events.iter().filter(|e| e["type"] != "link").cloned().collect();
        let alone: Vec<_> = no_links.iter().filter(|e| e["account"] == ACCOUNTS[0]).cloned().collect();
        let all = World::of(&no_links).profiles(NOW);
        for profile in World::of(&alone).profiles(NOW) {
            prop_assert!(all.contains(&profile));
        }
        // Linked and unlinked is as never linked.
        let mut undone = no_links.clone();
        undone.push(json!({"type": "link", "at": day(61), "accounts": [ACCOUNTS[0], ACCOUNTS[2]]}));
        undone.push(json!({"type": "unlink", "at": day(62), "account": ACCOUNTS[2]}));
        prop_assert_eq!(all, World::of(&undone).profiles(NOW));
    }

    #[test]
    fn p6_text_is_never_kept(events in history(), secret in "[a-z]{12}") {
        let marked: Vec<_> = events.iter().cloned().map(|mut event| {
            if let Some(text) = event.get("text").and_then(Value::as_str) {
                event["text"] = json!(format!("{text} canary{secret}"));
                event["context"] = json!([{"role": "assistant", "text": format!("echo{secret}")}]);
            }
            event
        }).collect();
        let world = World::of(&marked);
        let kept = world.holds(&format!("canary{secret}")) || world.holds(&format!("echo{secret}"));
        prop_assert!(!kept);
        // The search does find what is there.
        prop_assert!(world.holds("CREATE TABLE contribution"));
    }

    /// Moved to an excluded region: chats are not used, whatever is linked; activities still are.
    #[test]
    fn p8_the_rules_also_hold_at_use(events in history(), a in account()) {
        let mut moved = events.clone();
        moved.push(json!({"type": "account", "at": day(65), "account": a, "region": "DE"}));
        let mut world = World::of(&moved);
        let tag = a.parse::<crate::identity::Account>().unwrap().tag(&world.data.keyring);
        let person = world.data.store.person(tag, instant(NOW), world.policy.cross_platform).unwrap();
        let lens = Lens::new(&world.policy, &person, instant(NOW));
        prop_assert!(person.rows.iter().all(|row| row.facts().is_none() || !lens.sees(row)));
        let deeds: Vec<_> = person.rows.iter().filter(|row| row.facts().is_none()).copied().collect();
        prop_assert_eq!(reduce(&deeds, &lens), reduce(&person.rows, &lens));
    }

    /// The rows stay, and another policy is put in force: what it refuses is not used.
    #[test]
    fn p8_a_stricter_policy_holds_for_what_was_learned_before(events in history(), a in account()) {
        let paused = json!({"type": "choice", "at": day(66), "account": a, "chats": "out"});
        let mut world = World::of(&[events, vec![paused]].concat());
        let tag = a.parse::<crate::identity::Account>().unwrap().tag(&world.data.keyring);
        let person = world.data.store.person(tag, instant(NOW), world.policy.cross_platform).unwrap();
        let policy = |from: &str, to: &str| {
            assert!(POLICY.contains(from));
            Policy::parse(&POLICY.replace(from, to)).unwrap()
        };
        let chats = |policy: &Policy, at: &str| -> Vec<Timestamp> {
            let lens = Lens::new(policy, &person, instant(at));
            let of_chats = person.rows.iter().filter(|row| row.facts().is_some());
            of_chats.filter(|row| lens.sees(row)).map(|row| row.at).collect()
        };
        let late = policy("effective = 2025-12-16", "effective = 2026-01-01");
        prop_assert!(chats(&late, NOW).iter().all(|at| *at >= instant("2026-01-01T00:00:00Z")));
        prop_assert!(chats(&policy("kill_switch = false", "kill_switch = true"), NOW).is_empty());
        prop_assert!(chats(&policy("choice = \"none\"", "choice = \"opt-out\""), NOW).is_empty());
        // Nor is what is older than anything may be kept.
        prop_assert!(chats(&world.policy, "2030-01-01T00:00:00Z").is_empty());
    }

    /// Without what it names, an item stands where the explanation says.
    #[test]
    fn p9_everything_shown_can_be_explained(events in history(), a in account(), seed in 0u64..1000) {
        let mut world = World::of(&events);
        let count = taxonomy().unwrap().leaves().len();
        let item = |n: u64| Item {
            id: format!("{n:03}"), surface: Surface::Groups, title: String::new(), language: None,
            regions: BTreeSet::new(), place: None, author: None, friends_only: false,
            quality: ((n * 37 + seed) % 1000) as u16, created: instant("2025-01-01T00:00:00Z"), campaign: None,
            interests: [0, 3, 24, 5].iter().skip((n % 4) as usize).take(2).map(|i| (Interest(*i), Weight(900))).collect(),
        };
        let inventory = Inventory::build((0..60).map(item), count);
        let account = a.parse::<crate::identity::Account>().unwrap().tag(&world.data.keyring);
        let request = Request { account, surface: Surface::Groups, k: 20, at: instant(NOW), place: None, friends: BTreeSet::new(), opted_out: false };
        let (slots, views) = recommend(&mut world.data, &inventory, &world.policy, &request).unwrap();
        let person = world.data.store.person(account, instant(NOW), world.policy.cross_platform).unwrap();
        let lens = Lens::new(&world.policy, &person, instant(NOW));
        for (slot, view) in slots.iter().zip(views) {
            let named: BTreeSet<Interest> = view.reasons.iter().filter_map(|reason| match reason {
                crate::show::ReasonView::Interest { id, sources, .. } => {
                    (!sources.is_empty() || lens.taste(world.data.taxonomy.find(id)?) == tactful_core::standing::Taste::More)
                        .then(|| world.data.taxonomy.find(id)).flatten()
                }
                _ => None,
            }).collect();
            // What the reasons name, each with what is behind it, is all that brought it: without
            // that, its interests bring nothing.
            let without = reduce(&person.rows, &lens.clone().without(named));
            prop_assert!(slot.item.interests.iter().all(|(interest, _)| without.weight(*interest) == 0));
            let setting = tactful_core::ranking::exclude::Setting { now: instant(NOW),
                reserve: crate::show::RESERVE, ..Default::default() };
            let ranked = tactful_core::ranking::slate::rank(&inventory, Surface::Groups, 200, &setting, &without);
            let rank = ranked.iter().position(|other| other.item.id == slot.item.id).map(|at| at + 1);
            prop_assert_eq!(rank, view.rank_without);
            let total: u64 = slot.parts.interests.iter().map(|(_, points)| points).sum::<u64>()
                + slot.parts.quality + slot.parts.freshness;
            prop_assert_eq!(total, view.score);
        }
    }
}

/// A mark counts from the moment that it is there, also over rows that another writer put beside
/// it and that no sweep has taken yet: for conversations that were shut, and for what was deleted.
#[test]
fn p2_and_p4_a_mark_is_obeyed_at_once() {
    for mark in [
        "INSERT INTO seal SELECT DISTINCT shard, conversation, 9000000000000000 FROM contribution",
        "INSERT INTO forgotten SELECT DISTINCT shard, event, at FROM contribution",
    ] {
        let said = turn(ACCOUNTS[0], "c", "t", &day(3), "hike");
        let mut world = World::of(&[known(), vec![said]].concat());
        assert_eq!(world.profiles(NOW).len(), 1);
        let file = world.folder.path().join("data/tactful.sqlite");
        assert_eq!(rusqlite::Connection::open(file).unwrap().execute(mark, []).unwrap(), 1);
        assert!(world.profiles(NOW).is_empty(), "{mark}");
    }
}

/// It is not used, says why, and shuts its conversation: it may have been sensitive.
#[test]
fn p7_when_in_doubt_leave_it_out() {
    let doubtful = turn(ACCOUNTS[0], "c", "t", &day(3), "HU hike");
    let after = turn(ACCOUNTS[0], "c", "u", &day(4), "hike");
    let mut world = World::of(&[known(), vec![doubtful]].concat());
    assert!(world.profiles(NOW).is_empty());
    let counters = world.rows(&[])["counter"].iter().cloned().collect::<Vec<_>>().join(" ");
    assert!(counters.contains("\"language\")|Integer(1)"), "{counters}");
    world.take(&[after]);
    assert!(world.profiles(NOW).is_empty());
    // Nor does what an activity says, when it cannot be judged.
    world
        .take(&[json!({"type": "activity", "at": day(5), "account": ACCOUNTS[0], "activity": "a",
                        "kind": "like", "text": "HU golf"})]);
    assert!(world.profiles(NOW).is_empty());
}

/// P10: what the person is shown is all that the store holds of them.
#[test]
fn p10_a_person_sees_all_that_is_held() {
    let mut events = known();
    for n in 0..5 {
        events.push(turn(ACCOUNTS[0], &format!("c{n}"), "t", &day(n), "hike golf"));
    }
    let mut world = World::of(&events);
    let tag = ACCOUNTS[0].parse::<crate::identity::Account>().unwrap().tag(&world.data.keyring);
    let person = world.data.store.person(tag, instant(NOW), world.policy.cross_platform).unwrap();
    let view = profile_view(&person, &world.policy, &world.data.taxonomy, instant(NOW));
    let shown: usize = view.interests.iter().map(|interest| interest.sources.len()).sum();
    assert_eq!(shown, world.rows(&[])["contribution"].len());
    // Also who only ever said what is not wanted.
    let mut world =
        World::of(&[json!({"type": "preference", "at": day(1), "account": ACCOUNTS[2],
                                       "interest": "outdoors.hiking", "wish": "never"})]);
    let tag = ACCOUNTS[2].parse::<crate::identity::Account>().unwrap().tag(&world.data.keyring);
    assert!(world.data.store.accounts().unwrap().contains(&tag));
}
