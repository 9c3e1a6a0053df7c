//! What people steer: pause, reasons, links, preferences by advertiser; signals; what leaves for
//! the ad world.

use crate::run::{Place, known, turn};
use crate::server::{NOW, POLICY, Server, json_of, status};
use serde_json::{Value, json};

const LATER: &str = "2025-12-20T18:03:00Z";
const HIKE: &str = "What are good hikes near Boulder?";

fn told(server: &Server, account: &str) {
    json_of(server.post("/v1/events", &json!(known(account, "US"))));
}

fn heard(server: &Server, account: &str, name: &str, at: &str) -> Value {
    json_of(server.post("/v1/events", &turn(account, name, at, HIKE)))["events"][0]["outcome"]
        .clone()
}

fn interests(server: &Server, account: &str, at: &str) -> usize {
    let profile = json_of(server.get(&format!("/v1/persons/{account}/profile?at={at}")));
    profile["interests"].as_array().unwrap().len()
}

#[test]
fn a_pause_holds_under_every_policy_and_what_was_said_meanwhile_is_never_learned() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    told(&server, "whatsapp:1");
    assert_eq!(heard(&server, "whatsapp:1", "t1", NOW), "used");
    // The policy as announced leaves no choice …
    let out = json!({"chats": "out", "at": "2025-12-20T18:00:30Z"});
    assert_eq!(status(server.post("/v1/persons/whatsapp:1/choice", &out)), 204);
    assert_eq!(interests(&server, "whatsapp:1", LATER), 1);
    // … but a pause.
    let pause = |paused: bool, at: &str| {
        let body = json!({"paused": paused, "at": at});
        assert_eq!(status(server.post("/v1/persons/whatsapp:1/pause", &body)), 204);
    };
    pause(true, "2025-12-20T18:01:00Z");
    assert_eq!(interests(&server, "whatsapp:1", LATER), 0);
    assert_eq!(heard(&server, "whatsapp:1", "t2", "2025-12-20T18:02:00Z"), "opted_out");
    pause(false, "2025-12-20T18:05:00Z");
    let profile = json_of(server.get("/v1/persons/whatsapp:1/profile?at=2025-12-20T18:06:00Z"));
    assert_eq!(profile["interests"][0]["weight"].as_f64().map(|weight| weight < 1.0), Some(true));
}

#[test]
fn reasons_links_and_advertisers() {
    let place = Place::new();
    let server = Server::start(&place, &["--demo"]);
    assert_eq!(server.say("whatsapp:you", HIKE, NOW), "used");
    let asked = json!({"account": "whatsapp:you", "surfaces": ["ads"], "k": 5, "at": LATER});
    let slate =
        || json_of(server.post("/v1/recommendations", &asked))["slates"][0]["slate"].clone();
    let first = slate()[0]["item"].as_str().unwrap().to_owned();
    let why = |item: &str| {
        server.get(&format!("/v1/persons/whatsapp:you/reasons?item={item}&at={LATER}"))
    };
    let reasons = json_of(why(&first));
    assert_eq!(reasons["reasons"], slate()[0]["reasons"]);
    assert_eq!(status(why("no-such-item")), 404);
    // Never again of this advertiser: from the next slate on.
    let campaigns = json_of(server.get("/v1/campaigns"));
    let campaigns = campaigns.as_array().unwrap();
    for campaign in campaigns {
        let never = json!({"advertiser": campaign["advertiser"], "wish": "never", "at": NOW});
        assert_eq!(status(server.post("/v1/persons/whatsapp:you/preferences", &never)), 204);
    }
    assert_eq!(slate(), json!([]));
    let links = || {
        json_of(server.get(&format!("/v1/links/whatsapp:you?at={LATER}"))).as_array().unwrap().len()
    };
    assert_eq!(links(), 4);
    assert_eq!(status(server.delete("/v1/links/whatsapp:you?at=2025-12-20T17:00:00Z")), 204);
    assert_eq!(links(), 1);
    let accounts = json!({"accounts": ["whatsapp:you", "facebook:you"], "at": NOW});
    assert_eq!(status(server.post("/v1/links", &accounts)), 204);
    assert_eq!(links(), 4);
    // One's own interest, which nobody said.
    let own = json!({"interest": "food.bread_baking", "wish": "more", "at": NOW});
    assert_eq!(status(server.post("/v1/persons/whatsapp:you/preferences", &own)), 204);
    let profile = json_of(server.get(&format!("/v1/persons/whatsapp:you/profile?at={LATER}")));
    assert!(profile.to_string().contains("food.bread_baking"), "{profile}");
}

#[test]
fn only_topics_leave_and_ids_or_segments_never_both() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    told(&server, "whatsapp:1");
    assert_eq!(heard(&server, "whatsapp:1", "t1", NOW), "used");
    let asked = json!({"account": "whatsapp:1", "conversation": "c1", "property_id": "p", "placement_id": "s", "at": LATER});
    let matched =
        || json_of(server.post("/v1/adcp/context-match", &asked))["context_match_request"].clone();
    let request = matched();
    assert!(!request["context_signals"]["topics"].as_array().unwrap().is_empty(), "{request}");
    assert_eq!(request["geo"]["country"], "US");
    let text = request.to_string();
    for never in
        ["whatsapp", "summary", "embedding", "keywords", "Boulder", "account", "conversation"]
    {
        assert!(!text.contains(never), "{never}: {text}");
    }
    assert_ne!(matched()["request_id"], request["request_id"]);
    let enrich = |bid: Value| {
        json_of(server.post(
            "/v1/openrtb/segments",
            &json!({"account": "whatsapp:1", "bid_request": bid, "at": LATER}),
        ))
    };
    let bid = json!({"id": "1", "imp": [], "user": {"data": [{"name": "other"}]}});
    let enriched = enrich(bid.clone());
    assert_eq!(enriched["user"]["data"][0]["name"], "other");
    assert_eq!(
        enriched["user"]["data"][1]["ext"]["segtax"].as_u64().map(|n| n == 4 || n == 9),
        Some(true)
    );
    for named in [
        json!({"id": "1", "user": {"id": "u"}}),
        json!({"id": "1", "user": {"eids": [{"source": "x"}]}}),
        json!({"id": "1", "device": {"ifa": "x"}}),
        json!({"id": "1", "device": {"ext": {"ifa": "x"}}}),
        json!({"id": "1", "device": {"geo": {"lat": 40.01, "lon": -105.27, "type": 1}}}),
        json!({"id": "1", "user": {"geo": {"lat": 40.01, "lon": -105.27}}}),
    ] {
        assert_eq!(enrich(named.clone()), named);
    }
    // It turns sensitive: nothing of it leaves any more.
    json_of(server.post(
        "/v1/events",
        &turn("whatsapp:1", "t2", NOW, "my knee hurts, which pills help against the pain?"),
    ));
    assert_eq!(matched()["context_signals"]["topics"], json!([]));
    assert_eq!(enrich(bid.clone()), bid);
}

#[test]
fn privacy_signals_count_where_the_policy_heeds_them() {
    let place = Place::new();
    let policy = std::fs::read_to_string(POLICY).unwrap();
    let heeds = policy
        .replace("gpc = false", "gpc = true")
        .replace("choice = \"none\"", "choice = \"opt-out\"");
    std::fs::write(place.path("heeds.toml"), heeds).unwrap();
    let items = json!({"id": "g", "kind": "group", "title": "Boulder hiking trails", "created": "2025-12-01T00:00:00Z"});
    for (file, heeded) in [(POLICY, false), ("heeds.toml", true)] {
        let server = Server::start(&place, &["--policy", file]);
        told(&server, "whatsapp:1");
        heard(&server, "whatsapp:1", "t1", NOW);
        let sent = server.client.post(format!("{}/v1/items", server.url));
        json_of(sent.header("content-type", "application/x-ndjson").body(items.to_string()));
        let because = |gpc: Option<&str>, gpp: Value| {
            let asked =
                json!({"account": "whatsapp:1", "surfaces": ["groups"], "at": LATER, "gpp": gpp});
            let mut request = server.post("/v1/recommendations", &asked);
            if let Some(gpc) = gpc {
                request = request.header("sec-gpc", gpc);
            }
            json_of(request)["slates"][0]["slate"][0]["reasons"]
                .to_string()
                .contains("\"interest\"")
        };
        assert!(because(None, Value::Null));
        assert!(because(Some("0"), Value::Null));
        assert_eq!(because(Some("1"), Value::Null), !heeded);
        assert_eq!(because(None, json!("DBABTA~1YYN")), !heeded);
        assert!(because(None, json!("DBABTA~1YNN")));
        assert_eq!(json_of(server.get("/.well-known/gpc.json"))["gpc"], heeded);
        let bid = json!({"id": "1", "regs": {"ext": {"gpc": "1"}}});
        let asked = json!({"account": "whatsapp:1", "bid_request": bid, "at": LATER});
        let enriched = json_of(server.post("/v1/openrtb/segments", &asked));
        assert_eq!(enriched == bid, heeded);
    }
}
