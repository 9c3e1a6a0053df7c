//! The shipped policies mean what they say, and wrong files are refused where they are wrong.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

use jiff::Timestamp;
use tactful_core::chat::Region;
use tactful_core::policy::{Choosing, Policy};

const ANNOUNCED: &str = include_str!("../../../policies/announced-2025-12-16.toml");
const OPT_IN: &str = include_str!("../../../policies/opt-in.toml");
const EU_DSA: &str = include_str!("../../../policies/eu-dsa.toml");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn region(code: &str) -> Region {
    Region::new(code).unwrap()
}

#[test]
fn all_shipped_policies_load() {
    for text in [ANNOUNCED, OPT_IN, EU_DSA] {
        Policy::parse(text).unwrap();
    }
}

#[test]
fn a_date_begins_at_the_latest_midnight_on_earth() {
    let policy = Policy::parse(ANNOUNCED).unwrap();
    assert_eq!(policy.effective, at("2025-12-16T12:00:00Z"));
    let exact = ANNOUNCED.replace("effective = 2025-12-16", "effective = 2025-12-16T00:00:00Z");
    assert_eq!(Policy::parse(&exact).unwrap().effective, at("2025-12-16T00:00:00Z"));
}

#[test]
fn the_three_excluded_regions_are_out_and_the_rest_is_in() {
    let policy = Policy::parse(ANNOUNCED).unwrap();
    let now = at("2026-01-15T00:00:00Z");
    for out in ["DE", "FR", "MQ", "GB", "GI", "JE", "KR"] {
        let permission = policy.permission(region(out), now);
        assert!(!permission.infer && !permission.apply, "{out}");
    }
    for within in ["US", "CA", "BR", "IN", "CH", "NO"] {
        assert!(policy.permission(region(within), now).infer, "{within}");
    }
}

#[test]
fn a_region_joins_on_a_date_and_never_a_day_too_early_anywhere() {
    let joins = format!(
        "{ANNOUNCED}\n[[regions.rule]]\nregions = [\"KR\"]\nfrom = 2027-01-01\ninfer = true\nuse = true\n"
    );
    let policy = Policy::parse(&joins).unwrap();
    let kr = |instant| policy.permission(region("KR"), at(instant)).infer;
    assert!(!kr("2026-12-31T23:59:59Z"));
    assert!(!kr("2027-01-01T11:59:59Z"), "it is still 2026 at UTC-12");
    assert!(kr("2027-01-01T12:00:00Z"));
}

#[test]
fn a_region_leaves_on_a_date_and_never_a_day_too_late_anywhere() {
    let leaves = format!(
        "{ANNOUNCED}\n[[regions.rule]]\nregions = [\"BR\"]\nfrom = 2027-01-01\ninfer = false\nuse = false\n"
    );
    let policy = Policy::parse(&leaves).unwrap();
    let br = |instant| policy.permission(region("BR"), at(instant)).infer;
    assert!(br("2026-12-31T09:59:59Z"));
    assert!(!br("2026-12-31T10:00:00Z"), "it is 2027 already at UTC+14");
}

#[test]
fn reading_and_using_are_two_switches() {
    let policy = Policy::parse(EU_DSA).unwrap();
    let before = policy.permission(region("DE"), at("2026-02-01T00:00:00Z"));
    let after = policy.permission(region("DE"), at("2026-03-02T00:00:00Z"));
    assert!(before.infer && !before.apply && after.infer && after.apply);
    assert_eq!(before.choice, Choosing::OptIn);
}

/// (what to change, into what, field, what the message must hold)
const WRONG: [(&str, &str, &str, &str); 12] = [
    ("min_age = 18", "min_age = \"old\"", "min_age", "invalid type"),
    ("min_age = 18", "minimum_age = 18", "minimum_age", "unknown field"),
    ("choice = \"none\"", "choice = \"maybe\"", "choice", "opt-in"),
    ("effective = 2025-12-16", "effective = \"soon\"", "effective", "neither a date"),
    ("effective = 2025-12-16", "effective = 2025-12-16T00:00:00", "effective", "offset"),
    ("\"UK\", \"KR\"]", "\"UK\", \"Korea\"]", "excluded", "`Korea` is no region"),
    ("\"union\"]", "\"crime\", \"union\"]", "sensitive", "cannot judge `crime`"),
    (", \"union\"]", "]", "sensitive", "`union` is missing"),
    ("half_life_days = 30", "half_life_days = 0", "half_life_days", "at least one day"),
    ("\"whatsapp\"", "\"Whats App\"", "platforms", "is no name"),
    ("lead_days = 70", "lead_days = -1", "lead_days", "invalid value"),
    ("scope = \"conversation\"", "scope = ", "scope", ""),
];

#[test]
fn a_wrong_file_is_refused_with_line_field_and_what_was_expected() {
    for (from, to, field, holds) in WRONG {
        let line = 1 + ANNOUNCED.lines().position(|line| line.contains(from)).expect(from);
        let error = Policy::parse(&ANNOUNCED.replacen(from, to, 1)).unwrap_err();
        let found = (error.line, error.field.as_str());
        assert_eq!(found, (line, field), "{to}: {error}");
        assert!(error.expected.contains(holds), "{to}: {error}");
    }
}

#[test]
fn the_words_say_what_the_file_means() {
    let words = Policy::parse(ANNOUNCED).unwrap().to_string();
    for sentence in [
        "Only what was said from 16 December 2025, 12:00 UTC on is used.",
        "EU, UK, KR: chats are neither read nor used.",
        "Elsewhere: chats are read and used, without a choice.",
        "at least 70 days before",
        "Not of anyone under 18",
    ] {
        assert!(words.contains(sentence), "{sentence}\n{words}");
    }
}
