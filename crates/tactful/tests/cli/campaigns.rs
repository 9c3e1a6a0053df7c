//! Items and campaigns: what an advertiser makes, changes, pauses and is told.

use crate::run::{Place, known};
use crate::server::{NOW, POLICY, Server, json_of, status};
use serde_json::{Value, json};

fn ad(id: &str, campaign: &str) -> Value {
    json!({"id": id, "kind": "ad", "title": format!("Ad {id}"), "created": "2025-12-01T00:00:00Z",
        "campaign": {"id": campaign, "advertiser": "acme", "bid": 2.0, "currency": "USD", "budget": 3.0}})
}

fn put_items(server: &Server, items: &[Value]) {
    let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
    let sent = server.client.post(format!("{}/v1/items", server.url));
    json_of(sent.header("content-type", "application/x-ndjson").body(lines));
}

fn ads(server: &Server) -> Vec<String> {
    let asked = json!({"account": "whatsapp:1", "surfaces": ["ads"], "at": NOW});
    let answer = json_of(server.post("/v1/recommendations", &asked));
    let slate = answer["slates"][0]["slate"].as_array().unwrap().clone();
    slate.iter().map(|slot| slot["item"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_campaign_is_paused_and_its_budget_changed_from_the_next_slate_on() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    put_items(&server, &[ad("a", "one"), ad("b", "two")]);
    assert_eq!(ads(&server).len(), 2);
    let change = |body: Value| status(server.patch("/v1/campaigns/one", &body));
    assert_eq!(change(json!({"paused": true})), 204);
    assert_eq!(ads(&server), ["b"]);
    assert_eq!(change(json!({"paused": false})), 204);
    assert_eq!(ads(&server).len(), 2);
    // Two clicks at the bid and more spend the budget of three; a repeat counts once, and no price
    // is more than the bid.
    let click = |id: &str| {
        let clicks =
            json!({"clicks": [{"account": "whatsapp:1", "item": "a", "id": id, "price": 900.0}]});
        assert_eq!(status(server.post("/v1/clicks", &clicks)), 204);
    };
    for id in ["k1", "k1", "k2"] {
        click(id);
    }
    assert_eq!(json_of(server.get("/v1/campaigns/one"))["spent"], 4.0);
    assert_eq!(ads(&server), ["b"]);
    assert_eq!(change(json!({"budget": 10.0})), 204);
    assert_eq!(ads(&server).len(), 2);
    assert_eq!(change(json!({"budget": -1.0})), 400);
    assert_eq!(change(json!({"owner": "x"})), 400);
    assert_eq!(status(server.patch("/v1/campaigns/none", &json!({"paused": true}))), 404);
    assert_eq!(status(server.put("/v1/campaigns/three", &json!({"paused": true}))), 400);
    let three = json!({"advertiser": "acme", "budget": 5.0, "paused": true});
    assert_eq!(status(server.put("/v1/campaigns/three", &three)), 204);
    put_items(&server, &[ad("c", "three")]);
    assert_eq!(ads(&server).len(), 2);
    assert_eq!(status(server.delete("/v1/items/b")), 204);
    assert_eq!(status(server.delete("/v1/items/b")), 404);
    assert_eq!(ads(&server), ["a"]);
    // A command that takes in items beside the running server is seen by it.
    place.write("items.jsonl", &[ad("d", "four")]);
    place.write("empty.jsonl", &[]);
    let done = place.ingest("empty.jsonl", &["--items", "items.jsonl"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    crate::server::wait_for("the new ad", || ads(&server).contains(&"d".to_owned()));
}

#[test]
fn a_report_is_of_fifty_people_or_not_told() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    put_items(&server, &[ad("a", "one"), ad("b", "one")]);
    let show = |people: std::ops::Range<u32>, item: &str| {
        let impressions: Vec<Value> = people
            .map(|n| json!({"account": format!("whatsapp:{n}"), "item": item, "id": format!("{item}{n}")}))
            .collect();
        assert_eq!(
            status(server.post("/v1/impressions", &json!({"impressions": impressions}))),
            204
        );
    };
    let report = || json_of(server.get("/v1/campaigns/one"));
    show(0..49, "a");
    // The same people again, and the same showings again.
    show(0..30, "b");
    show(0..30, "b");
    assert_eq!(report()["people"], Value::Null);
    assert_eq!(report()["shown"], Value::Null);
    show(49..50, "b");
    assert_eq!(report()["people"], 50);
    assert_eq!(report()["shown"], 49 + 30 + 1);
    assert_eq!(report()["clicked"], 0);
    assert_eq!(json_of(server.get("/v1/campaigns"))[0]["people"], 50);
}

/// A key of one advertiser: its own campaigns and ads, and nothing of what others have.
#[test]
fn an_advertiser_sees_and_changes_its_own_alone() {
    let place = Place::new();
    let key = |name: &str, whose: &[&str]| {
        let made = place.run(&[&["keys", "add", name, "--scopes", "advertiser"], whose].concat());
        assert!(made.status.success());
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let (any, mine) = (key("any", &[]), key("mine", &["--advertiser", "acme"]));
    let wide = ["keys", "add", "wide", "--scopes", "advertiser,admin", "--advertiser", "acme"];
    let refused = place.run(&wide);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let server = Server::start(&place, &["--policy", POLICY]);
    let put = |key: &str, item: Value| {
        let sent = server.client.post(format!("{}/v1/items", server.url)).bearer_auth(key);
        status(sent.header("content-type", "application/x-ndjson").body(item.to_string()))
    };
    let of = |id: &str, campaign: &str, advertiser: &str| {
        let mut item = ad(id, campaign);
        item["campaign"]["advertiser"] = json!(advertiser);
        item
    };
    assert_eq!(put(&any, of("theirs", "rival", "globex")), 200);
    assert_eq!(put(&mine, of("own", "one", "acme")), 200);
    // Under another's name, in another's campaign, in place of another's ad, or no ad at all.
    assert_eq!(put(&mine, of("x", "new", "globex")), 403);
    assert_eq!(put(&mine, of("x", "rival", "acme")), 403);
    assert_eq!(put(&mine, of("theirs", "one", "acme")), 403);
    let group =
        json!({"id": "g", "kind": "group", "title": "G", "created": "2025-12-01T00:00:00Z"});
    assert_eq!(put(&mine, group), 403);
    let seen = |key: &str| {
        let answer = json_of(server.get("/v1/campaigns").bearer_auth(key));
        let campaigns = answer.as_array().unwrap().iter();
        campaigns.map(|one| one["campaign"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((seen(&any), seen(&mine)), (vec!["one".into(), "rival".into()], vec!["one".into()]));
    let asked = |path: &str| status(server.get(path).bearer_auth(&mine));
    assert_eq!((asked("/v1/campaigns/one"), asked("/v1/campaigns/rival")), (200, 404));
    let change = |campaign: &str, terms: Value| {
        status(server.patch(&format!("/v1/campaigns/{campaign}"), &terms).bearer_auth(&mine))
    };
    assert_eq!(change("one", json!({"paused": true})), 204);
    assert_eq!(change("one", json!({"advertiser": "globex"})), 403);
    assert_eq!(change("rival", json!({"paused": true})), 404);
    let remove =
        |item: &str| status(server.delete(&format!("/v1/items/{item}")).bearer_auth(&mine));
    assert_eq!((remove("theirs"), remove("own")), (404, 204));
    // Terms without an ad are somebody's too.
    let make = |key: &str, advertiser: &str| {
        let terms = json!({"advertiser": advertiser, "budget": 1.0});
        status(server.put("/v1/campaigns/bare", &terms).bearer_auth(key))
    };
    assert_eq!((make(&mine, "globex"), make(&any, "globex"), make(&mine, "acme")), (403, 204, 404));
    assert_eq!(seen(&mine), ["one"]);
}

/// Two servers on one store: each shows what the other took in, and keeps what it took in itself.
#[test]
fn servers_beside_each_other_see_each_others_items() {
    let place = Place::new();
    let first = Server::start(&place, &["--policy", POLICY]);
    let second = Server::start(&place, &["--policy", POLICY]);
    json_of(first.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    for n in 0..4 {
        put_items(&first, &[ad(&format!("a{n}"), &format!("one{n}"))]);
        put_items(&second, &[ad(&format!("b{n}"), &format!("two{n}"))]);
        let own = (ads(&first), ads(&second));
        assert!(own.0.contains(&format!("a{n}")) && own.1.contains(&format!("b{n}")), "{own:?}");
    }
    for server in [&first, &second] {
        crate::server::wait_for("all eight", || ads(server).len() == 8);
    }
    assert_eq!(status(first.delete("/v1/items/b0")), 204);
    assert_eq!(ads(&first).len(), 7);
    crate::server::wait_for("seven", || ads(&second).len() == 7);
}
