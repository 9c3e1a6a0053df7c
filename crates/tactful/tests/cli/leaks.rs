//! What somebody who looked for holes once found, and must not find again.

use crate::run::{Place, known, turn};
use crate::server::{ANSWERED, NOW, POLICY, Server, chat, json_of, status, upstream, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

const HIKE: &str = "What are good hikes near Boulder?";
const KNEE: &str = "My knee has hurt for weeks, is it arthritis and which pills help?";

fn key(place: &Place, name: &str, more: &[&str]) -> String {
    let made = place.run(&[&["keys", "add", name], more].concat());
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn export(server: &Server) -> Value {
    json_of(server.get("/v1/persons/whatsapp:1/export"))
}

#[test]
fn taking_the_last_key_away_opens_nothing() {
    let place = Place::new();
    let (server, key) = Server::operator(&place, "admin");
    let seen = |request: reqwest::blocking::RequestBuilder| status(request);
    assert_eq!(seen(server.get("/v1/persons/whatsapp:1/export").bearer_auth(&key)), 200);
    assert!(place.run(&["keys", "revoke", "test"]).status.success());
    wait_for("the key was not taken away", || {
        seen(server.get("/v1/persons/whatsapp:1/export").bearer_auth(&key)) == 401
    });
    for host in ["localhost", "127.0.0.1"] {
        let asked = server.get("/v1/persons/whatsapp:1/export").header("host", host);
        assert_eq!(seen(asked), 401, "{host}");
    }
}

#[test]
fn of_a_stranger_no_body_is_read() {
    let place = Place::new();
    let (server, key) = Server::operator(&place, "ingest");
    // Refused before the body that it announces: it never comes.
    for (path, shape) in [("/v1/events", "problem+json"), ("/v1/chat/completions", "\"error\"")] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\nconnection: close\r\n\r\n",
            server.host()
        );
        let answer = crate::attacks::raw(&server, &request);
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains(shape), "{path}: {answer}");
    }
    // The name of a scheme is written either way; and nothing is asked of who asks for nothing.
    let written = server.post("/v1/events", &json!([]));
    assert_eq!(status(written.header("authorization", format!("bearer {key}"))), 200);
    assert_eq!(status(server.get("/v1/about")), 200);
}

#[test]
fn a_key_for_one_advertiser_is_told_of_no_other() {
    let place = Place::new();
    let (server, _) = Server::operator(&place, "admin,advertiser");
    let all = key(&place, "all", &["--scopes", "admin,advertiser,recommend"]);
    let other = key(&place, "other", &["--scopes", "advertiser", "--advertiser", "other"]);
    let mine = key(&place, "mine", &["--scopes", "advertiser", "--advertiser", "acme"]);
    let ad = json!({"id": "a", "kind": "ad", "title": "Ad", "created": "2025-12-01T00:00:00Z",
        "campaign": {"id": "one", "advertiser": "acme", "bid": 2.0, "currency": "USD", "budget": 9.0}});
    wait_for("the keys did not come", || {
        status(server.get("/v1/overview/spending").bearer_auth(&mine)) == 200
    });
    json_of(server.post("/v1/items", &ad).bearer_auth(&all));
    let click =
        json!({"clicks": [{"account": "whatsapp:1", "item": "a", "id": "k", "price": 1.0}]});
    assert_eq!(status(server.post("/v1/clicks", &click).bearer_auth(&all)), 204);
    let told = |path: &str, key: &str| json_of(server.get(path).bearer_auth(key));
    assert!(told("/v1/overview/spending", &mine)["one"].is_array());
    assert_eq!(told("/v1/overview/spending", &other), json!({}));
    assert_eq!(told("/v1/advertisers", &mine), json!(["acme"]));
    assert_eq!(told("/v1/advertisers", &other), json!([]));
}

const REFUSED: &[&str] =
    &["HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n", "{}"];

/// Posts a body to the proxy as it is.
fn post(server: &Server, body: String) -> reqwest::blocking::RequestBuilder {
    chat(server, "").body(body)
}

#[test]
fn what_is_sensitive_shuts_its_chat_however_it_comes() {
    let message = |role: &str, words: &str| json!({"role": role, "content": words});
    let mut long = vec![message("user", KNEE)];
    for n in 0..10 {
        long.push(message("assistant", "Noted."));
        long.push(message("user", &format!("Give me number {n} of your ideas for a garden shed")));
    }
    let cut = format!(r#"{{"messages": [{{"role": "user", "content": "{KNEE} \ud83d"}}]}}"#);
    let followed = [message("user", KNEE), message("system", "be brief")];
    let bodies =
        [cut, json!({"messages": followed}).to_string(), json!({"messages": long}).to_string()];
    for (upstream_says, body) in
        [(REFUSED, json!({"messages": [message("user", KNEE)]}).to_string())]
            .into_iter()
            .chain(bodies.into_iter().map(|body| (ANSWERED, body)))
    {
        let place = Place::new();
        let (url, _) = upstream(upstream_says, Duration::ZERO);
        let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
        json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
        let mut hike = turn("whatsapp:1", "t1", NOW, HIKE);
        hike["conversation"] = json!("c9");
        assert_eq!(json_of(server.post("/v1/events", &hike))["events"][0]["outcome"], "used");
        let code = status(post(&server, body.clone()));
        assert!([200, 400].contains(&code), "{code}");
        wait_for(&format!("it is still held after {body}"), || {
            export(&server)["contributions"] == json!([])
        });
    }
}

#[test]
fn a_turn_that_nobody_answered_teaches_nothing() {
    let place = Place::new();
    let (url, seen) = upstream(REFUSED, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let asked = chat(&server, HIKE).header("accept-encoding", "gzip");
    assert_eq!(status(asked), 400);
    // The answer's id is looked for, so nothing compressed is asked for; and what is compressed cannot
    // be judged.
    let request = seen.lock().unwrap()[0].to_lowercase();
    assert!(
        request.contains("accept-encoding: identity") && !request.contains("gzip"),
        "{request}"
    );
    assert_eq!(status(chat(&server, HIKE).header("content-encoding", "gzip")), 415);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(export(&server)["contributions"], json!([]));
}

const MEANT_FOR_BROWSERS: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nset-cookie: a=b\r\naccess-control-allow-origin: *\r\n\
     content-security-policy: script-src 'unsafe-inline'\r\nconnection: close\r\n\r\n",
    "<script>1</script>",
];

#[test]
fn an_upstream_sets_no_rules_for_browsers_here_and_gets_no_key_of_ours() {
    let place = Place::new();
    let (url, seen) = upstream(MEANT_FOR_BROWSERS, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    let ours = format!("bearer tk_{}", "0".repeat(64));
    let answer = server.get("/v1/models/x").header("authorization", ours).send().unwrap();
    let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
    assert!(header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!((header("set-cookie"), header("access-control-allow-origin")), (None, None));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    // A key that is not one any more is answered by 401 where keys are; here it went on, without it.
    assert!(seen.lock().unwrap().iter().all(|request| !request.contains("tk_")));
}

#[test]
fn where_a_person_is_does_not_tell_when_they_spoke() {
    let place = Place::new();
    let (url, _) = upstream(ANSWERED, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let facts = || export(&server)["accounts"][0]["facts"].as_array().unwrap().clone();
    for words in [HIKE, KNEE, HIKE] {
        assert_eq!(status(chat(&server, words).header("tactful-region", "US")), 200);
    }
    assert_eq!(status(chat(&server, KNEE).header("tactful-region", "DE")), 200);
    wait_for("the move was not noted", || facts().len() > 1);
    let moved = facts();
    assert_eq!((moved.len(), &moved[1]["region"]), (2, &json!("DE")), "{moved:?}");
    assert!(moved[1]["at"].as_str().unwrap().ends_with(":00:00Z"), "{moved:?}");
}

#[test]
fn the_metrics_say_no_more_than_an_answer() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let said =
        json!([turn("whatsapp:1", "t1", NOW, KNEE), turn("whatsapp:1", "t2", NOW, "ok thanks")]);
    json_of(server.post("/v1/events", &said));
    let metrics = server.get("/metrics").send().unwrap().text().unwrap();
    assert!(metrics.contains("tactful_events_total{outcome=\"not_used\"} 2"), "{metrics}");
    for private in ["sensitive", "shut", "nothing_of_interest"] {
        assert!(!metrics.contains(private), "{private}: {metrics}");
    }
    let told = server.get("/v1/persons/whatsapp:1/export").send().unwrap();
    assert_eq!(told.headers()["cache-control"], "no-store");
}

#[test]
fn a_conversation_whose_id_looks_like_a_tag_is_deleted_too() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let mut hike = turn("whatsapp:1", "t1", NOW, HIKE);
    hike["conversation"] = json!("550e8400e29b41d4a716446655440000");
    json_of(server.post("/v1/events", &hike));
    let held = export(&server)["contributions"][0]["conversation"].as_str().unwrap().to_owned();
    let path = |name: &str| format!("/v1/persons/whatsapp:1/conversations/{name}");
    assert_eq!(status(server.delete(&path("550e8400e29b41d4a716446655440000"))), 200);
    assert_eq!(export(&server)["contributions"], json!([]));
    // By the tag that the reasons name, too.
    hike["turn"] = json!("t2");
    hike["conversation"] = json!("c");
    json_of(server.post("/v1/events", &hike));
    let other = export(&server)["contributions"][0]["conversation"].as_str().unwrap().to_owned();
    assert_ne!(held, other);
    assert_eq!(status(server.delete(&path(&other))), 200);
    assert_eq!(export(&server)["contributions"], json!([]));
}

#[test]
fn all_that_is_held_is_exported_and_none_of_it_outlives_the_deletion() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    // Of somebody who is known by nothing but what they were shown.
    let mut item = json!({"id": "UniqueItem77", "kind": "ad", "title": "Ad",
        "created": "2025-12-01T00:00:00Z"});
    item["campaign"] =
        json!({"id": "one", "advertiser": "acme", "bid": 2.0, "currency": "USD", "budget": 9.0});
    json_of(server.post("/v1/items", &item));
    let (shown, clicked) = (
        json!({"impressions": [{"account": "whatsapp:1", "item": "UniqueItem77", "id": "s", "at": NOW}]}),
        json!({"clicks": [{"account": "whatsapp:1", "item": "UniqueItem77", "id": "k", "at": NOW}]}),
    );
    let sent = || {
        assert_eq!(status(server.post("/v1/impressions", &shown)), 204);
        assert_eq!(status(server.post("/v1/clicks", &clicked)), 204);
    };
    sent();
    let held = export(&server);
    assert_eq!(
        (held["shown"].as_array().unwrap().len(), held["clicked"].as_array().unwrap().len()),
        (1, 1)
    );
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let pair = json!({"accounts": ["whatsapp:1", "facebook:1"], "at": NOW});
    assert!(server.post("/v1/links", &pair).send().unwrap().status().is_success());
    assert_eq!(export(&server)["accounts"][0]["linked"][0]["at"], "2025-12-20T18:00:00Z");
    let wish = json!({"advertiser": "UniqueAdvertiser77", "wish": "less"});
    assert_eq!(status(server.post("/v1/persons/whatsapp:1/preferences", &wish)), 204);
    assert_eq!(status(server.delete("/v1/persons/whatsapp:1")), 200);
    // What comes late brings nothing back.
    sent();
    let held = export(&server);
    assert_eq!((&held["shown"], &held["clicked"]), (&json!([]), &json!([])));
    // Nor does a file hold it: the item itself is the operator's.
    let found = || {
        std::fs::read_dir(place.path("data")).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, b"UniqueAdvertiser77").is_some()
        })
    };
    wait_for("what was deleted stands in a file", || !found());
    #[cfg(unix)]
    for file in std::fs::read_dir(place.path("data")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} may be read by others", file.path().display());
    }
}

#[test]
fn a_wish_after_a_deletion_that_reached_into_the_future_holds() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let liked = json!({"type": "activity", "at": "2099-01-01T00:00:00Z", "account": "whatsapp:1",
        "activity": "a", "kind": "like", "text": HIKE});
    json_of(server.post("/v1/events", &liked));
    assert_eq!(status(server.delete("/v1/persons/whatsapp:1")), 200);
    let wish = json!({"interest": "outdoors.hiking", "wish": "never"});
    assert_eq!(status(server.post("/v1/persons/whatsapp:1/preferences", &wish)), 204);
    let preferences = export(&server)["accounts"][0]["preferences"].clone();
    assert!(preferences.as_array().is_some_and(|all| !all.is_empty()), "{preferences}");
}
