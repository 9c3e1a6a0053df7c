//! Logs as they come: broken, hostile, shuffled, twice, cut in two, killed and resumed.

use crate::run::{Place, known, turn};
use serde_json::{Value, json};
use std::io::{Seek, SeekFrom, Write};
use std::process::{Command, Stdio};

const ACCOUNT: &str = "whatsapp:4411";
const AT: &str = "2026-01-05T18:00:00Z";

fn good() -> Vec<Value> {
    [known(ACCOUNT, "US"), vec![turn(ACCOUNT, "t1", AT, "any good hikes near Boulder?")]].concat()
}

/// Takes in the good log with one bad line in its middle; gives the report.
fn with_bad_line(bad: &[u8]) -> (Place, Value, Option<i32>) {
    let place = Place::new();
    let mut log = Vec::new();
    for (n, event) in good().iter().enumerate() {
        if n == 1 {
            log.extend_from_slice(bad);
            log.push(b'\n');
        }
        log.extend_from_slice(format!("{event}\n").as_bytes());
    }
    std::fs::write(place.path("log.jsonl"), log).unwrap();
    let done = place.ingest("log.jsonl", &[]);
    assert!(!String::from_utf8_lossy(&done.stderr).contains("panicked"));
    let report = serde_json::from_slice(&done.stdout).unwrap();
    (place, report, done.status.code())
}

#[test]
fn a_bad_line_is_reported_with_its_number_and_field_and_the_others_go_on() {
    let turn = |field: &str, value: Value| {
        let mut turn = turn(ACCOUNT, "t2", AT, "fishing for trout");
        turn[field] = value;
        turn.to_string().into_bytes()
    };
    let without = |field: &str| {
        let mut turn: Value = serde_json::from_slice(&turn("x", json!(1))).unwrap();
        turn.as_object_mut().unwrap().remove(field);
        turn.to_string().into_bytes()
    };
    let mut cases: Vec<(Vec<u8>, &str)> = vec![
        (b"{\"type\":\"turn\"".to_vec(), "line"),
        (b"[1,2]".to_vec(), "line"),
        (b"\xff\xfe\xfa".to_vec(), "line"),
        (b"{\"type\":\"turn\",\"text\":\"a\0b\"}".to_vec(), "line"),
        (b"{\"type\":\"turn\",\"type\":\"turn\"}".to_vec(), "line"),
        (vec![b'x'; 3 << 20], "line"),
        (b"{}".to_vec(), "type"),
        (b"{\"type\":\"wish\"}".to_vec(), "type"),
        (turn("at", json!("9999-01-01T00:00:00Z")), "at"),
        (turn("at", json!("yesterday")), "at"),
        (turn("account", json!("4411")), "account"),
        (turn("account", json!("whatsapp:")), "account"),
        (turn("account", json!("whatsapp:a\u{0}b")), "account"),
        (turn("role", json!("bystander")), "role"),
        (turn("encrypted", json!("no")), "encrypted"),
        (turn("text", json!(7)), "text"),
        (turn("context", json!("before")), "context"),
    ];
    for field in [
        "at",
        "account",
        "conversation",
        "turn",
        "role",
        "audience",
        "encrypted",
        "modality",
        "product",
        "text",
    ] {
        cases.push((without(field), field));
    }
    for (bad, field) in cases {
        let (place, report, code) = with_bad_line(&bad);
        let shown = String::from_utf8_lossy(&bad[..bad.len().min(80)]).into_owned();
        assert_eq!(code, Some(2), "{shown}");
        assert_eq!(report["bad_lines"], 1, "{shown}");
        assert_eq!(
            (&report["bad"][0]["line"], &report["bad"][0]["field"]),
            (&json!(2), &json!(field)),
            "{shown}"
        );
        assert_eq!(report["outcomes"]["used"], 1, "{shown}");
        assert_eq!(place.interests(ACCOUNT, "2026-01-15T09:00:00Z").len().min(1), 1, "{shown}");
    }
}

/// No message quotes what a line holds.
#[test]
fn an_error_never_quotes_the_words_of_a_line() {
    let mut said = turn(ACCOUNT, "t2", AT, "canary4711");
    said["text"] = json!(["canary4711"]);
    let place = Place::new();
    place.write("log.jsonl", &[good(), vec![said]].concat());
    let done = place.ingest("log.jsonl", &[]);
    let all = [done.stdout, done.stderr].concat();
    assert!(!String::from_utf8_lossy(&all).contains("canary"));
}

#[test]
fn what_is_no_event_of_ours_is_refused_and_counted() {
    let place = Place::new();
    let mut events = good();
    events.push(turn("myspace:1", "t1", AT, "any good hikes?"));
    events.push(turn(ACCOUNT, "t3", "1970-01-01T00:00:00Z", "any good hikes?"));
    events.push(turn(ACCOUNT, "t4", AT, ""));
    events.push(turn(ACCOUNT, "t5", AT, "   \u{1F600} !!!"));
    events.push(json!({"type": "activity", "at": AT, "account": ACCOUNT, "activity": "a", "kind": "like", "item": "nothing"}));
    let outcomes = &place.take(&events)["outcomes"];
    assert_eq!(outcomes["unknown_platform"], 1);
    assert_eq!(outcomes["before_effective"], 1);
    assert_eq!(outcomes["empty"], 2);
    assert_eq!(outcomes["unknown_item"], 1);
    assert_eq!(outcomes["used"], 1);
}

#[test]
fn an_empty_file_is_no_error_and_a_missing_one_is() {
    let place = Place::new();
    std::fs::write(place.path("empty.jsonl"), "").unwrap();
    assert!(place.ingest("empty.jsonl", &[]).status.success());
    let missing = place.ingest("missing.jsonl", &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("missing.jsonl"));
}

#[test]
fn strict_stops_at_the_first_bad_line_and_keeps_what_came_before() {
    let place = Place::new();
    let mut log = good().iter().map(|event| format!("{event}\n")).collect::<String>();
    log += "nonsense\n";
    std::fs::write(place.path("log.jsonl"), log).unwrap();
    let done = place.ingest("log.jsonl", &["--strict"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("line 4"));
}

/// A log of many people: what it is made of does not matter here, only that it is the same.
fn long() -> (Vec<Value>, Vec<Value>) {
    let says = [
        "any good hikes near Boulder?",
        "which lens for portraits?",
        "best marinade for barbecue chicken",
        "my knee hurts, what can I do?",
        "how do I knit a scarf?",
        "thanks",
        "guitar chords for wonderwall",
    ];
    let (mut people, mut said) = (Vec::new(), Vec::new());
    for n in 0..40 {
        let account = format!("whatsapp:{n}");
        people.extend(known(&account, "US"));
        for t in 0..30 {
            let at = format!("2026-01-{:02}T{:02}:00:00Z", 1 + t % 28, t % 24);
            let mut event =
                turn(&account, &format!("t{t}"), &at, says[(n * 7 + t * 3) % says.len()]);
            event["conversation"] = json!(format!("c{}", t / 3));
            said.push(event);
        }
    }
    (people, said)
}

fn all(place: &Place) -> Vec<u8> {
    place.run(&["profile", "--all", "--format", "json", "--at", "2026-02-01T00:00:00Z"]).stdout
}

#[test]
fn shuffled_duplicated_and_split_it_ends_in_the_same_bytes() {
    let (people, said) = long();
    let expected = Place::new();
    expected.take(&[people.clone(), said.clone()].concat());
    let expected = all(&expected);
    assert!(expected.len() > 10_000);
    let shuffle = |events: &[Value]| {
        let mut events = events.to_vec();
        events.sort_by_key(|event| {
            event.to_string().bytes().fold(7u64, |hash, b| {
                hash.wrapping_mul(31).wrapping_add(u64::from(b)).rotate_left(9)
            })
        });
        events
    };
    let twice = Place::new();
    twice.take(&shuffle(&[people.clone(), said.clone(), said.clone(), people.clone()].concat()));
    assert!(all(&twice) == expected, "shuffled, everything twice, in one run");
    let split = Place::new();
    let turns = shuffle(&said);
    split.take(&[turns[..400].to_vec(), people].concat());
    split.take(&turns[400..]);
    assert!(all(&split) == expected, "turns split over two runs");
}

/// kill -9 in the middle, again and again: nothing is lost and nothing counted twice.
#[test]
fn killed_and_resumed_it_ends_in_the_same_bytes_and_counts() {
    let (people, said) = long();
    // Long enough that a kill finds it at work.
    let said: Vec<Value> = (0..60)
        .flat_map(|round| {
            said.iter().cloned().map(move |mut event| {
                event["turn"] = json!(format!("{}-{round}", event["turn"].as_str().unwrap()));
                event
            })
        })
        .collect();
    let whole = Place::new();
    whole.take(&[people.clone(), said.clone()].concat());
    let killed = Place::new();
    killed.write("log.jsonl", &[people, said].concat());
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/announced-2025-12-16.toml");
    for milliseconds in [40, 150, 300, 500, 700, 900] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tactful"))
            .current_dir(killed.folder.path())
            .args(["ingest", "log.jsonl", "--policy", policy])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed.ingest("log.jsonl", &[]).status.success());
    assert!(all(&killed) == all(&whole));
    assert_eq!(counters(&killed), counters(&whole));
}

fn counters(place: &Place) -> Vec<(String, i64)> {
    let db = rusqlite::Connection::open(place.path("data/tactful.sqlite")).unwrap();
    let mut rows = db.prepare("SELECT reason, events FROM counter ORDER BY reason").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// A line of a gigabyte (of NUL bytes, as a file with a hole has them) is skipped in bounded
/// memory, and the next one is taken in.
#[test]
fn a_huge_line_takes_no_memory() {
    let place = Place::new();
    let mut file = std::fs::File::create(place.path("log.jsonl")).unwrap();
    file.seek(SeekFrom::Start(1 << 30)).unwrap();
    file.write_all(b"\n").unwrap();
    for event in good() {
        writeln!(file, "{event}").unwrap();
    }
    drop(file);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/announced-2025-12-16.toml");
    // 700 MB of address space would not hold the line.
    let command = format!(
        "ulimit -v 700000; exec '{}' ingest log.jsonl --policy '{policy}' --format json",
        env!("CARGO_BIN_EXE_tactful")
    );
    let done = Command::new("bash")
        .current_dir(place.folder.path())
        .args(["-c", &command])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&report["bad_lines"], &report["bad"][0]["line"]), (&json!(1), &json!(1)));
    assert_eq!(report["outcomes"]["used"], 1);
}

/// Ten thousand accounts, each linked to the next and the last to the first, are one person, and
/// that is found out in one walk; whoever leaves is one no more.
#[test]
fn ten_thousand_links_in_a_cycle_are_one_person() {
    const COUNT: usize = 10_000;
    let account = |n: usize| match n % COUNT {
        0 => ACCOUNT.to_owned(),
        n => format!("instagram:{n}"),
    };
    let link = |n| {
        json!({"type": "link", "at": "2025-11-01T00:00:00Z",
               "accounts": [account(n), account(n + 1)]})
    };
    let place = Place::new();
    place.take(&[(0..COUNT).map(link).collect(), good()].concat());
    let at = "2026-01-15T09:00:00Z";
    let far = place.json(&["profile", "instagram:5000", "--at", at]);
    assert_eq!(far["accounts"].as_array().unwrap().len(), COUNT);
    assert_eq!(place.interests("instagram:5000", at), place.interests(ACCOUNT, at));
    let all = place.run(&["profile", "--all", "--at", at, "--format", "json"]);
    assert_eq!(all.stdout.iter().filter(|b| **b == b'\n').count(), 1);
    place.take(&[json!({"type": "unlink", "at": "2025-11-02T00:00:00Z",
                        "account": "instagram:5000"})]);
    assert!(place.interests("instagram:5000", at).is_empty());
    assert!(!place.interests("instagram:4999", at).is_empty());
}

/// From before there were chats, and from the end of time: refused or reported, and the rest is as
/// it would be without.
#[test]
fn times_in_1970_and_9999_do_no_harm() {
    let usual = Place::new();
    usual.take(&good());
    let expected = usual.interests(ACCOUNT, "2026-01-15T09:00:00Z");
    assert!(!expected.is_empty());
    for year in ["1970", "9999"] {
        let at = format!("{year}-01-01T00:00:00Z");
        let mut events = good();
        let other = "facebook:9";
        events.push(json!({"type": "account", "at": at, "account": other, "region": "US",
                           "birth_date": format!("{year}-01-01")}));
        events.push(json!({"type": "notice", "at": at, "account": other, "notice": "ai-chats",
                           "version": "1", "channel": "email", "delivered": at}));
        events.push(json!({"type": "link", "at": at, "accounts": [other, "facebook:10"]}));
        events.push(json!({"type": "unlink", "at": at, "account": other}));
        events.push(json!({"type": "choice", "at": at, "account": other, "chats": "out"}));
        events.push(json!({"type": "preference", "at": at, "account": other,
                           "interest": "outdoors.hiking", "wish": "less"}));
        events.push(json!({"type": "activity", "at": at, "account": other, "activity": "a",
                           "kind": "like", "text": "hiking trails"}));
        events.push(turn(other, "t1", &at, "any good hikes near Boulder?"));
        events.push(json!({"type": "delete", "at": at, "account": other, "activity": "b"}));
        events.push(json!({"type": "delete", "at": at, "account": other}));
        let place = Place::new();
        place.write("log.jsonl", &events);
        place.write(
            "items.jsonl",
            &[
                json!({"id": "g", "kind": "group", "title": "Hiking trails", "created": at}),
                json!({"id": "h", "kind": "group", "title": "Hiking trails",
                   "created": "2026-01-01T00:00:00Z"}),
            ],
        );
        let done = place.ingest("log.jsonl", &["--items", "items.jsonl"]);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(matches!(done.status.code(), Some(0 | 2)) && !said.contains("panicked"), "{said}");
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["outcomes"]["used"], 1, "{year}");
        assert_eq!(place.interests(ACCOUNT, "2026-01-15T09:00:00Z"), expected, "{year}");
        let shown = place.run(&["profile", other, "--at", "2026-01-15T09:00:00Z"]);
        assert!(!String::from_utf8_lossy(&shown.stdout).contains("outdoors"), "{year}");
        for asked in ["1970-01-01T00:00:00Z", "2026-01-15T09:00:00Z", "9999-12-30T00:00:00Z"] {
            for command in [
                &["profile", "--all", "--at", asked][..],
                &["recommend", ACCOUNT, "--surface", "groups", "--at", asked][..],
            ] {
                let done = place.run(command);
                let said = String::from_utf8_lossy(&done.stderr);
                assert!(done.status.success(), "{year} {command:?}: {said}");
            }
        }
    }
}

/// NUL is a character of JSON, written as an escape: in words it is judged, in an id refused.
#[test]
fn nul_is_judged_in_words_and_refused_in_ids() {
    let place = Place::new();
    let mut events = good();
    events.push(turn(ACCOUNT, "t2", AT, "any good\u{0} hikes near Boulder?"));
    events.push(turn("what\u{0}:1", "t1", AT, "any good hikes?"));
    events.push(turn(ACCOUNT, "t\u{0}3", AT, "any good hikes?"));
    place.write("log.jsonl", &events);
    let done = place.ingest("log.jsonl", &[]);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let bad = report["bad"].as_array().unwrap();
    let fields: Vec<_> = bad.iter().map(|b| (b["line"].clone(), b["field"].clone())).collect();
    assert_eq!(fields, [(json!(5), json!("account")), (json!(6), json!("turn"))]);
    assert_eq!(place.interests(ACCOUNT, "2026-01-15T09:00:00Z").len().min(1), 1);
}

#[test]
fn lost_keys_and_other_keys_are_told_apart_from_new_data() {
    let place = Place::new();
    place.take(&good());
    let key = place.path("tactful.key");
    std::fs::write(&key, "4".repeat(64)).unwrap();
    let done = place.run(&["profile", "--all"]);
    assert!(
        String::from_utf8_lossy(&done.stderr)
            .contains("is not the key that this data was made with")
    );
    std::fs::remove_file(key).unwrap();
    let done = place.run(&["profile", "--all"]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("is not there"));
}

/// Items: bad ones are named, sensitive ones carry no interest, one currency.
#[test]
fn items_that_do_not_fit_are_named_and_the_rest_is_taken_in() {
    let place = Place::new();
    let ad = |id: &str, currency: &str| {
        json!({"id": id, "kind": "ad", "title": "Hiking boots", "created": AT,
        "campaign": {"id": id, "advertiser": "a", "bid": 1, "currency": currency, "budget": 5}})
    };
    place.write("items.jsonl", &[
        ad("a", "USD"),
        ad("b", "EUR"),
        json!({"id": "c", "kind": "poster", "title": "x", "created": AT}),
        json!({"id": "d", "kind": "group", "title": "x", "created": AT, "place": {"lat": 99, "lon": 0}}),
        json!({"id": "e", "kind": "group", "title": "x"}),
        json!({"id": "f", "kind": "post", "title": "A hike", "created": AT, "quality": 7}),
    ]);
    place.write("log.jsonl", &good());
    let done = place.ingest("log.jsonl", &["--items", "items.jsonl"]);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let fields: Vec<_> = report["bad"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| (b["line"].as_u64().unwrap(), b["field"].as_str().unwrap()))
        .collect();
    assert_eq!(
        fields,
        [(2, "campaign.currency"), (3, "kind"), (4, "place"), (5, "line"), (6, "quality")]
    );
    assert_eq!((done.status.code(), &report["items"]), (Some(2), &json!(1)));
}

/// Shown as often as its cap allows, and not once more; what is recorded twice counts once.
#[test]
fn frequency_caps_count_what_was_recorded() {
    let place = Place::new();
    place.write("items.jsonl", &[json!({"id": "boots", "kind": "ad", "title": "Hiking boots", "created": "2025-12-01T00:00:00Z",
        "campaign": {"id": "c", "advertiser": "a", "bid": 1, "currency": "USD", "budget": 5, "frequency_cap": {"count": 2, "days": 1}}})]);
    place.write("log.jsonl", &good());
    assert!(place.ingest("log.jsonl", &["--items", "items.jsonl"]).status.success());
    let ads = |minute: u32, more: &[&str]| {
        let at = format!("2026-01-15T09:{minute:02}:00Z");
        let slate =
            place.json(&[&["recommend", ACCOUNT, "--surface", "ads", "--at", &at], more].concat());
        slate["slate"].as_array().unwrap().len()
    };
    assert_eq!((ads(0, &["--record"]), ads(0, &["--record"]), ads(1, &[])), (1, 1, 1));
    assert_eq!((ads(2, &["--record"]), ads(3, &["--record"]), ads(4, &[])), (1, 0, 0));
}
