//! The scenes of the announcement, by name, with the model that is shipped.

use crate::run::{Place, known, turn};
use serde_json::{Value, json};

const ASKED: &str = "2026-01-05T18:00:00Z";
const NOW: &str = "2026-01-15T09:00:00Z";
const WHATSAPP: &str = "whatsapp:4411";
const FACEBOOK: &str = "facebook:mara";
const HIKING: &str = "outdoors.hiking";

fn asks_about_hiking() -> Value {
    turn(WHATSAPP, "t1", ASKED, "any good hikes near Boulder for a weekend?")
}

fn linked() -> Value {
    json!({"type": "link", "at": "2025-11-01T00:00:00Z", "accounts": [WHATSAPP, FACEBOOK]})
}

fn inventory() -> Vec<Value> {
    let group = |id: &str, title: &str, lat: f64, lon: f64| {
        json!({"id": id, "kind": "group", "title": title, "language": "en", "quality": 0.5,
               "created": "2025-06-01T00:00:00Z", "place": {"lat": lat, "lon": lon}})
    };
    let post = |id: &str, title: &str, author: &str, audience: &str| {
        json!({"id": id, "kind": "post", "title": title, "language": "en", "quality": 0.5,
               "created": "2026-01-01T00:00:00Z", "author": author, "audience": audience})
    };
    let reel = |id: &str, title: &str| {
        json!({"id": id, "kind": "reel", "title": title, "language": "en", "quality": 0.5,
               "created": "2026-01-01T00:00:00Z", "author": id})
    };
    let ad = |id: &str, title: &str, bid: f64| {
        json!({"id": id, "kind": "ad", "title": title, "language": "en", "quality": 0.5,
               "created": "2026-01-01T00:00:00Z", "campaign": {"id": id, "advertiser": id, "bid": bid,
               "currency": "USD", "budget": 100}})
    };
    vec![
        group("denver-hikers", "Denver Hiking Club", 39.739, -104.99),
        group("boulder-hikers", "Boulder Hiking Club", 40.015, -105.271),
        group("boulder-knitters", "Boulder Knitting Circle", 40.015, -105.271),
        group("mosque", "Islamic Center and Mosque of Boulder", 40.015, -105.271),
        post(
            "friend-trail",
            "The ridge trail at sunrise, a great hike",
            "facebook:jude",
            "friends",
        ),
        post("stranger-trail", "My private hiking trail diary", "facebook:stranger", "friends"),
        post("public-cake", "Chocolate cake with raspberries", "facebook:baker", "public"),
        reel("reel-trails", "Five hiking trails in one minute"),
        reel("reel-cats", "Cats against cucumbers"),
        ad("boots", "Waterproof hiking boots for muddy trails", 0.8),
        ad("blender", "A blender for smoothies", 1.0),
    ]
}

/// A place that knows both accounts, with the inventory; `events` on top.
fn place(region: &str, events: &[Value]) -> Place {
    let place = Place::new();
    place.write("items.jsonl", &inventory());
    let accounts = [known(WHATSAPP, region), known(FACEBOOK, region)].concat();
    place.write("log.jsonl", &[&accounts, events].concat());
    let done = place.ingest("log.jsonl", &["--items", "items.jsonl"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    place
}

/// What the feed of an account shows, all four surfaces.
fn feed(place: &Place, account: &str) -> Vec<Value> {
    ["groups", "posts", "reels", "ads"]
        .into_iter()
        .map(|surface| {
            place.json(&[
                "recommend",
                account,
                "--surface",
                surface,
                "--k",
                "5",
                "--at",
                NOW,
                "--place",
                "40.01,-105.27",
                "--friends",
                "facebook:jude",
            ])
        })
        .collect()
}

fn items(slate: &Value) -> Vec<&str> {
    let slots = slate["slate"].as_array().unwrap();
    slots.iter().map(|slot| slot["item"].as_str().unwrap()).collect()
}

fn names_hiking(slot: &Value) -> bool {
    slot["reasons"].as_array().unwrap().iter().any(|reason| reason["id"] == HIKING)
}

#[test]
fn linked_hiking_on_whatsapp_changes_the_feed_on_facebook() {
    let place = place("US", &[linked(), asks_about_hiking()]);
    assert!(place.interests(FACEBOOK, NOW).contains(&HIKING.to_owned()));
    let feed = feed(&place, FACEBOOK);
    assert_eq!(items(&feed[0])[..2], ["boulder-hikers", "denver-hikers"], "near before far");
    assert_eq!(items(&feed[1])[0], "friend-trail");
    assert!(!items(&feed[1]).contains(&"stranger-trail"), "never a stranger's private post");
    assert_eq!(items(&feed[2])[0], "reel-trails");
    assert_eq!(items(&feed[3])[0], "boots");
    let boots = &feed[3]["slate"][0];
    assert!(names_hiking(boots));
    let source = &boots["reasons"][0]["sources"][0];
    assert_eq!((&source["platform"], &source["kind"]), (&json!("whatsapp"), &json!("chat")));
    assert_eq!(source["day"], "2026-01-05");
    assert_eq!(boots["rank_without"], 2, "without it the blender, which bids more, comes first");
}

#[test]
fn not_linked_it_is_as_if_nothing_had_been_asked() {
    let (asked, never) = (place("US", &[asks_about_hiking()]), place("US", &[]));
    assert_eq!(feed(&asked, FACEBOOK), feed(&never, FACEBOOK));
    assert_ne!(feed(&asked, WHATSAPP), feed(&never, WHATSAPP));
}

#[test]
fn in_seoul_london_and_berlin_nothing_is_used() {
    for region in ["KR", "GB", "DE"] {
        let asked = place(region, &[linked(), asks_about_hiking()]);
        let never = place(region, &[linked()]);
        assert!(asked.interests(WHATSAPP, NOW).is_empty(), "{region}");
        assert_eq!(feed(&asked, FACEBOOK), feed(&never, FACEBOOK), "{region}");
    }
}

#[test]
fn before_16_december_nothing_is_used() {
    let early = turn(WHATSAPP, "t1", "2025-12-15T18:00:00Z", "any good hikes near Boulder?");
    assert!(place("US", &[linked(), early]).interests(WHATSAPP, NOW).is_empty());
}

#[test]
fn without_a_notice_nothing_is_used() {
    let place = Place::new();
    let untold = known(WHATSAPP, "US").into_iter().filter(|event| event["type"] != "notice");
    let events: Vec<Value> = untold.chain([asks_about_hiking()]).collect();
    assert_eq!(place.take(&events)["outcomes"]["no_notice"], 1);
    assert!(place.interests(WHATSAPP, NOW).is_empty());
}

#[test]
fn her_knee_ten_minutes_later_takes_back_what_the_conversation_gave() {
    let boots = turn(WHATSAPP, "t2", "2026-01-05T18:04:00Z", "which hiking boots should I buy?");
    let knee = turn(
        WHATSAPP,
        "t3",
        "2026-01-05T18:10:00Z",
        "also my knee hurts on the way down, what can I do about the pain?",
    );
    let before = place("US", &[linked(), asks_about_hiking(), boots.clone()]);
    assert!(!before.interests(WHATSAPP, NOW).is_empty());
    for events in [
        vec![linked(), asks_about_hiking(), boots.clone(), knee.clone()],
        vec![linked(), knee, boots, asks_about_hiking()],
    ] {
        let after = place("US", &events);
        assert!(after.interests(WHATSAPP, NOW).is_empty());
        assert_eq!(feed(&after, FACEBOOK), feed(&place("US", &[linked()]), FACEBOOK));
    }
}

#[test]
fn a_like_of_a_hiking_page_gives_a_profile_of_the_same_shape() {
    let like = json!({"type": "activity", "at": ASKED, "account": WHATSAPP, "activity": "a1",
        "kind": "like", "text": "any good hikes near Boulder for a weekend?"});
    let (liked, asked) = (place("US", &[like]), place("US", &[asks_about_hiking()]));
    let shape = |place: &Place| {
        let profile = place.json(&["profile", WHATSAPP, "--at", NOW]);
        let interests = profile["interests"].as_array().unwrap().clone();
        interests.into_iter().map(|i| (i["id"].clone(), i["weight"].clone())).collect::<Vec<_>>()
    };
    assert!(!shape(&liked).is_empty());
    assert_eq!(shape(&liked), shape(&asked));
}

#[test]
fn a_followed_mosque_leaves_no_trace_and_is_never_chosen_because_of_a_profile() {
    let follow = json!({"type": "activity", "at": ASKED, "account": WHATSAPP, "activity": "a1",
        "kind": "follow", "item": "mosque"});
    let page = json!({"type": "activity", "at": ASKED, "account": WHATSAPP, "activity": "a2",
        "kind": "follow", "text": "Islamic Center and Mosque of Boulder"});
    let place = place("US", &[linked(), follow, page, asks_about_hiking()]);
    assert_eq!(place.interests(WHATSAPP, NOW)[0], HIKING);
    for slate in feed(&place, FACEBOOK) {
        for slot in slate["slate"].as_array().unwrap() {
            assert!(
                slot["item"] != "mosque"
                    || slot["reasons"].as_array().unwrap().iter().all(|r| r["kind"] != "interest")
            );
        }
    }
}

#[test]
fn only_her_own_words_to_the_assistant_are_understood() {
    let mut others = Vec::new();
    for (n, (field, value)) in [
        ("role", json!("assistant")),
        ("role", json!("system")),
        ("role", json!("recalled")),
        ("audience", json!("people")),
        ("encrypted", json!(true)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut said = turn(WHATSAPP, &format!("t{n}"), ASKED, "any good hikes near Boulder?");
        said[field] = value;
        others.push(said);
    }
    let mut small = turn(WHATSAPP, "t9", ASKED, "thanks a lot!");
    small["context"] =
        json!([{"role": "assistant", "text": "Try the hiking trail to Royal Arch."}]);
    others.push(small);
    assert!(place("US", &others).interests(WHATSAPP, NOW).is_empty());
}

#[test]
fn a_turn_that_leans_on_a_health_question_is_health() {
    let mut leaning = turn(WHATSAPP, "t2", ASKED, "and what about me?");
    leaning["context"] = json!([{"role": "user", "text": "what are the symptoms of diabetes"},
        {"role": "assistant", "text": "Thirst and tiredness are common symptoms."}]);
    let place = place("US", &[asks_about_hiking(), leaning]);
    assert!(place.interests(WHATSAPP, NOW).is_empty());
}
