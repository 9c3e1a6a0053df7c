//! Every verdict of the gate in one table; a rule that decides no case fails the second test.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

use jiff::Timestamp;
use std::collections::BTreeSet;
use tactful_core::chat::{Audience, Facts, Modality, Name, Region, Role, Tag};
use tactful_core::gate::{Refusal, refusal};
use tactful_core::policy::Policy;
use tactful_core::standing::{AccountFact, Channel, History, NoticeFact, Wish};

const ANNOUNCED: &str = include_str!("../../../policies/announced-2025-12-16.toml");
const OPT_IN: &str = include_str!("../../../policies/opt-in.toml");

type Change = fn(&mut Facts, &mut History);

struct Case {
    name: &'static str,
    policy: fn() -> String,
    change: Change,
    expected: Option<Refusal>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn announced() -> String {
    ANNOUNCED.to_owned()
}

fn opt_in() -> String {
    OPT_IN.to_owned()
}

fn opt_out() -> String {
    ANNOUNCED.replace("choice = \"none\"", "choice = \"opt-out\"")
}

fn killed() -> String {
    ANNOUNCED.replace("kill_switch = false", "kill_switch = true")
}

fn no_glasses() -> String {
    ANNOUNCED.replace("glasses = true", "glasses = false").replace("voice = true", "voice = false")
}

fn fact(when: &str) -> AccountFact {
    AccountFact { at: at(when), ..AccountFact::default() }
}

fn choose(history: &mut History, when: &str, wish: Wish) {
    history.choices.push((at(when), wish));
}

/// An adult in the United States, told on 7 October, who types to the assistant on 20 December.
fn usual() -> (Facts, History) {
    let facts = Facts {
        account: Tag(1),
        platform: Name::new("whatsapp").unwrap(),
        conversation: Tag(2),
        event: Tag(3),
        role: Role::User,
        audience: Audience::Assistant,
        encrypted: false,
        modality: Modality::Text,
        product: Name::new("assistant").unwrap(),
        at: at("2025-12-20T09:00:00Z"),
    };
    let history = History {
        facts: vec![AccountFact {
            region: Region::new("US"),
            birth_date: "1990-05-17".parse().ok(),
            ..fact("2025-10-01T00:00:00Z")
        }],
        notices: vec![NoticeFact {
            delivered: at("2025-10-07T09:00:00Z"),
            notice: "ai-chats".to_owned(),
            version: "1".to_owned(),
            channel: Channel::InApp,
        }],
        ..History::default()
    };
    (facts, history)
}

fn region(history: &mut History, code: &str) {
    history.facts[0].region = Region::new(code);
}

const CASES: [Case; 35] = [
    Case {
        name: "paused, though the policy leaves no choice",
        policy: announced,
        change: |_, h| choose(h, "2025-12-19T00:00:00Z", Wish::Pause),
        expected: Some(Refusal::OptedOut),
    },
    Case {
        name: "the pause was over",
        policy: announced,
        change: |_, h| {
            choose(h, "2025-12-18T00:00:00Z", Wish::Pause);
            choose(h, "2025-12-19T00:00:00Z", Wish::Resume);
        },
        expected: None,
    },
    Case { name: "usual", policy: announced, change: |_, _| {}, expected: None },
    Case {
        name: "said to people",
        policy: announced,
        change: |f, _| f.audience = Audience::People,
        expected: Some(Refusal::People),
    },
    Case {
        name: "encrypted",
        policy: announced,
        change: |f, _| f.encrypted = true,
        expected: Some(Refusal::Encrypted),
    },
    Case {
        name: "encrypted comes before all else",
        policy: killed,
        change: |f, h| {
            f.encrypted = true;
            f.audience = Audience::People;
            region(h, "DE");
        },
        expected: Some(Refusal::Encrypted),
    },
    Case {
        name: "written by the assistant",
        policy: announced,
        change: |f, _| f.role = Role::Assistant,
        expected: Some(Refusal::NotThePerson),
    },
    Case {
        name: "recalled from a memory",
        policy: announced,
        change: |f, _| f.role = Role::Tool,
        expected: Some(Refusal::NotThePerson),
    },
    Case {
        name: "kill switch",
        policy: killed,
        change: |_, _| {},
        expected: Some(Refusal::KillSwitch),
    },
    Case {
        name: "a platform that nobody named",
        policy: announced,
        change: |f, _| f.platform = Name::new("myspace").unwrap(),
        expected: Some(Refusal::UnknownPlatform),
    },
    Case {
        name: "voice is on",
        policy: announced,
        change: |f, _| f.modality = Modality::Voice,
        expected: None,
    },
    Case {
        name: "voice is off",
        policy: no_glasses,
        change: |f, _| f.modality = Modality::Voice,
        expected: Some(Refusal::ProductOff),
    },
    Case {
        name: "glasses are off",
        policy: no_glasses,
        change: |f, _| f.product = Name::new("glasses").unwrap(),
        expected: Some(Refusal::ProductOff),
    },
    Case {
        name: "a product that nobody named",
        policy: announced,
        change: |f, _| f.product = Name::new("toaster").unwrap(),
        expected: Some(Refusal::ProductOff),
    },
    Case {
        name: "15 December",
        policy: announced,
        change: |f, _| f.at = at("2025-12-15T23:00:00Z"),
        expected: Some(Refusal::BeforeEffective),
    },
    Case {
        name: "16 December has not begun everywhere",
        policy: announced,
        change: |f, _| f.at = at("2025-12-16T11:59:59Z"),
        expected: Some(Refusal::BeforeEffective),
    },
    Case {
        name: "16 December everywhere, 70 days after the notice",
        policy: announced,
        change: |f, _| f.at = at("2025-12-16T12:00:00Z"),
        expected: None,
    },
    Case {
        name: "the account was deleted after it",
        policy: announced,
        change: |_, h| h.forgotten = Some(at("2025-12-21T00:00:00Z")),
        expected: Some(Refusal::Deleted),
    },
    Case {
        name: "no region is known",
        policy: announced,
        change: |_, h| h.facts[0].region = None,
        expected: Some(Refusal::UnknownRegion),
    },
    Case {
        name: "two regions at the same instant",
        policy: announced,
        change: |_, h| {
            h.facts.push(AccountFact { region: Region::new("CA"), ..fact("2025-10-01T00:00:00Z") })
        },
        expected: Some(Refusal::UnknownRegion),
    },
    Case {
        name: "Germany",
        policy: announced,
        change: |_, h| region(h, "DE"),
        expected: Some(Refusal::ExcludedRegion),
    },
    Case {
        name: "South Korea",
        policy: announced,
        change: |_, h| region(h, "KR"),
        expected: Some(Refusal::ExcludedRegion),
    },
    Case {
        name: "Jersey",
        policy: announced,
        change: |_, h| region(h, "JE"),
        expected: Some(Refusal::ExcludedRegion),
    },
    Case {
        name: "moved to Germany the day before",
        policy: announced,
        change: |_, h| {
            h.facts.push(AccountFact { region: Region::new("DE"), ..fact("2025-12-19T00:00:00Z") })
        },
        expected: Some(Refusal::ExcludedRegion),
    },
    Case {
        name: "moves to Germany the day after",
        policy: announced,
        change: |_, h| {
            h.facts.push(AccountFact { region: Region::new("DE"), ..fact("2025-12-21T00:00:00Z") })
        },
        expected: None,
    },
    Case {
        name: "seventeen",
        policy: announced,
        change: |_, h| h.facts[0].birth_date = "2008-01-01".parse().ok(),
        expected: Some(Refusal::UnderAge),
    },
    Case {
        name: "eighteen today, not yet everywhere",
        policy: announced,
        change: |f, h| {
            f.at = at("2025-12-20T09:00:00Z");
            h.facts[0].birth_date = "2007-12-20".parse().ok();
        },
        expected: Some(Refusal::UnderAge),
    },
    Case {
        name: "no age, likely a minor",
        policy: announced,
        change: |_, h| {
            h.facts[0].birth_date = None;
            h.facts[0].likely_minor = Some(true);
        },
        expected: Some(Refusal::UnderAge),
    },
    Case {
        name: "no age, not likely a minor",
        policy: announced,
        change: |_, h| h.facts[0].birth_date = None,
        expected: None,
    },
    Case {
        name: "no notice",
        policy: announced,
        change: |_, h| h.notices.clear(),
        expected: Some(Refusal::NoNotice),
    },
    Case {
        name: "a notice 69 days before",
        policy: announced,
        change: |_, h| h.notices[0].delivered = at("2025-10-12T09:00:00Z"),
        expected: Some(Refusal::NoNotice),
    },
    Case {
        name: "a notice before the first day",
        policy: announced,
        change: |_, h| h.notices[0].delivered = at("2025-10-05T00:00:00Z"),
        expected: Some(Refusal::NoNotice),
    },
    Case {
        name: "a notice whose first screen does not name AI chats",
        policy: opt_in,
        change: |_, h| {
            h.notices[0].version = "0".to_owned();
            choose(h, "2025-10-08T00:00:00Z", Wish::In);
        },
        expected: Some(Refusal::NoNotice),
    },
    Case {
        name: "said no, where there is a choice",
        policy: opt_out,
        change: |_, h| choose(h, "2025-12-01T00:00:00Z", Wish::Out),
        expected: Some(Refusal::OptedOut),
    },
    Case {
        name: "has not said yes, where that is needed",
        policy: opt_in,
        change: |_, _| {},
        expected: Some(Refusal::NotOptedIn),
    },
];

fn verdict(case: &Case) -> Option<Refusal> {
    let policy = Policy::parse(&(case.policy)()).unwrap();
    let (mut facts, mut history) = usual();
    (case.change)(&mut facts, &mut history);
    refusal(&policy, &history.standing(&policy, facts.at), &facts)
}

#[test]
fn every_verdict_is_the_one_in_the_table() {
    let wrong: Vec<_> = CASES
        .iter()
        .filter(|case| verdict(case) != case.expected)
        .map(|case| (case.name, verdict(case), case.expected))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_refusal_decides_a_case() {
    let decided: BTreeSet<_> = CASES.iter().filter_map(|case| case.expected).collect();
    let missing: Vec<_> = Refusal::ALL.iter().filter(|r| !decided.contains(r)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn names_and_codes_are_unique() {
    let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), CASES.len());
    let codes: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
    assert_eq!(codes.len(), Refusal::ALL.len());
}

/// Where nobody is asked (as announced), saying no to chats changes nothing; saying yes later, or
/// no later, does not reach back.
#[test]
fn a_choice_counts_where_there_is_one_and_from_when_it_was_made() {
    let told = |policy: fn() -> String, when: &str, wish| {
        let policy = Policy::parse(&policy()).unwrap();
        let (facts, mut history) = usual();
        choose(&mut history, when, wish);
        refusal(&policy, &history.standing(&policy, facts.at), &facts)
    };
    assert_eq!(told(announced, "2025-12-01T00:00:00Z", Wish::Out), None);
    assert_eq!(told(opt_in, "2025-12-01T00:00:00Z", Wish::In), None);
    assert_eq!(told(opt_in, "2025-12-21T00:00:00Z", Wish::In), Some(Refusal::NotOptedIn));
    assert_eq!(told(opt_out, "2025-12-21T00:00:00Z", Wish::Out), None);
}
