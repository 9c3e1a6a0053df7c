//! The server, as clients meet it: a real process, a real socket.

use crate::run::{Place, known, turn};
use crate::server::{
    ANSWERED, NOW, POLICY, STREAMED, Server, chat, json_of, status, upstream, wait_for,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use reqwest::blocking::Response;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::io::Read;
use std::time::{Duration, Instant};

#[test]
fn the_hiking_scene_in_the_demo() {
    let server = Server::start(&Place::new(), &["--demo"]);
    // In the demo they begin linked.
    assert_eq!(status(server.delete("/v1/links/facebook:you?at=2025-12-01T00:00:00Z")), 204);
    let ask = "What are good hikes near Boulder for a weekend?";
    assert_eq!(server.say("whatsapp:you", ask, "2025-12-15T18:00:00Z"), "before_effective");
    let (_, because) = server.slate("facebook:you", "groups", NOW);
    assert!(because.is_empty(), "{because:?}");
    assert_eq!(server.say("whatsapp:you", ask, NOW), "used");
    // Not linked: as if never asked.
    let (_, because) = server.slate("facebook:you", "groups", "2025-12-20T18:01:00Z");
    assert!(because.is_empty(), "{because:?}");
    let accounts =
        json!({"accounts": ["whatsapp:you", "facebook:you"], "at": "2025-12-20T18:02:00Z"});
    assert_eq!(status(server.post("/v1/links", &accounts)), 204);
    let (groups, because) = server.slate("facebook:you", "groups", "2025-12-20T18:03:00Z");
    assert!(because.contains(&"Boulder Hiking Club".to_owned()), "{groups:?}");
    assert_eq!(groups[0], "Boulder Hiking Club");
    let (_, because) = server.slate("facebook:you", "ads", "2025-12-20T18:03:00Z");
    assert!(because.iter().any(|ad| ad.to_lowercase().contains("boot")), "{because:?}");
    // The same person in Berlin.
    let berlin = json!({"type": "account", "at": "2025-12-21T00:00:00Z", "account": "facebook:you", "region": "DE"});
    json_of(server.post("/v1/events", &berlin));
    let (_, because) = server.slate("facebook:you", "groups", "2025-12-22T00:00:00Z");
    assert!(because.is_empty(), "{because:?}");
    // Ten minutes later, a knee: all that the conversation gave is gone.
    let knee =
        server.say("whatsapp:you", "also my knee hurts on the way down", "2025-12-20T18:10:00Z");
    assert_eq!(knee, "not_used");
    let (_, because) = server.slate("facebook:you", "groups", "2025-12-20T18:11:00Z");
    assert!(because.is_empty(), "{because:?}");
}

#[test]
fn what_a_person_corrects_counts_from_the_next_slate_on() {
    let server = Server::start(&Place::new(), &["--demo"]);
    let person = "/v1/persons/whatsapp:you";
    assert_eq!(server.say("whatsapp:you", "What are good hikes near Boulder?", NOW), "used");
    let later = "2025-12-20T18:03:00Z";
    assert!(!server.slate("whatsapp:you", "groups", later).1.is_empty());
    let profile = json_of(server.get(&format!("{person}/profile?at={later}")));
    let source = &profile["interests"][0]["sources"][0];
    assert_eq!(source["day"], "2025-12-20");
    let never =
        json!({"interest": "outdoors.hiking", "wish": "never", "at": "2025-12-20T18:02:00Z"});
    assert_eq!(status(server.post(&format!("{person}/preferences"), &never)), 204);
    let (_, because) = server.slate("whatsapp:you", "groups", later);
    assert!(!because.iter().any(|title| title.contains("Hiking")), "{because:?}");
    let clear =
        json!({"interest": "outdoors.hiking", "wish": "clear", "at": "2025-12-20T18:02:30Z"});
    assert_eq!(status(server.post(&format!("{person}/preferences"), &clear)), 204);
    assert!(!server.slate("whatsapp:you", "groups", later).1.is_empty());
    // By the tag that the reasons name.
    let path = format!("{person}/conversations/{}?at={later}", source["source"].as_str().unwrap());
    let receipt = json_of(server.delete(&path));
    assert_eq!(receipt["receipt"].as_str().unwrap().len(), 32);
    let profile = json_of(server.get(&format!("{person}/profile?at={later}")));
    assert_eq!(profile["interests"], json!([]));
    let archive = json_of(server.get(&format!("{person}/export")));
    assert_eq!(archive["contributions"], json!([]));
    let accounts = archive["accounts"].as_array().unwrap();
    let told = accounts.iter().filter(|one| one["notices"][0]["notice"] == "ai-chats");
    assert_eq!((accounts.len(), told.count()), (4, 3));
}

#[test]
fn events_come_in_every_shape_and_a_repeat_changes_nothing() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    let hike = || turn("whatsapp:1", "t1", NOW, "What are good hikes near Boulder?");
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let first = json_of(server.post("/v1/events", &hike()));
    assert_eq!(first["events"], json!([{"outcome": "used"}]));
    let profile = || json_of(server.get(&format!("/v1/persons/whatsapp:1/profile?at={NOW}")));
    let before = profile();
    assert_eq!(before["interests"][0]["id"], "outdoors.hiking");
    let ndjson = format!("{}\n\n{}\n{{\"type\":\"turn\"}}\n", hike(), hike());
    let sent = server.client.post(format!("{}/v1/events", server.url));
    let answer = json_of(sent.header("content-type", "application/x-ndjson").body(ndjson));
    assert_eq!(answer["events"][1]["outcome"], "used");
    assert_eq!(answer["events"][2]["outcome"], "bad_event");
    assert_eq!(before, profile());
    // CloudEvents: the envelope fills what the data leaves out.
    let mut data =
        turn("whatsapp:1", "-", NOW, "Which camera lens is best for wildlife photography?");
    for field in ["type", "at", "turn"] {
        data.as_object_mut().unwrap().remove(field);
    }
    let event = json!({"specversion": "1.0", "id": "7", "source": "/app", "type": "com.example.turn",
        "time": NOW, "data": data});
    let send = |kind: &str, body: String| {
        let sent = server.client.post(format!("{}/v1/events", server.url));
        json_of(sent.header("content-type", kind).body(body))
    };
    let one = send("application/cloudevents+json", event.to_string());
    assert_eq!(one["events"][0]["outcome"], "used");
    let after = profile();
    assert_ne!(before, after);
    send("application/cloudevents-batch+json; charset=utf-8", json!([event, event]).to_string());
    let binary = server.post("/v1/events", &data).header("ce-specversion", "1.0");
    let binary = binary.header("ce-id", "7").header("ce-source", "/app").header("ce-type", "turn");
    json_of(binary.header("ce-time", NOW));
    assert_eq!(after, profile());
    // Of what was sensitive, no more is told than of small talk.
    let ill = json_of(server.post(
        "/v1/events",
        &turn("whatsapp:1", "t8", NOW, "my knee hurts, which pills help against the pain?"),
    ));
    let talk = json_of(server.post("/v1/events", &turn("whatsapp:1", "t9", NOW, "thanks!")));
    assert_eq!((&ill["events"][0]["outcome"], &ill), (&json!("not_used"), &talk));
    // Refused whole, by field.
    for (body, named) in
        [(json!({"type": "turn"}), "account"), (json!({"type": "nonsense", "at": NOW}), "type")]
    {
        let answer = server.post("/v1/events", &body).send().unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(answer.text().unwrap().contains(named));
    }
    let text = server.client.post(format!("{}/v1/events", server.url)).body("hello");
    assert_eq!(status(text.header("content-type", "text/plain")), 415);
    let long = server.client.post(format!("{}/v1/events", server.url)).body(vec![b' '; 9 << 20]);
    // The server does not wait for the rest; the client may find its connection shut before it reads why.
    match long.header("content-type", "application/json").send() {
        Ok(answer) => assert_eq!(answer.status(), 413),
        Err(error) => assert!(error.is_request(), "{error}"),
    }
}

#[test]
fn keys_open_what_their_scopes_say_and_nothing_else() {
    let place = Place::new();
    let (server, key) = Server::operator(&place, "ingest");
    let event = json!([]);
    let sent = |key: &str| server.post("/v1/events", &event).bearer_auth(key);
    assert_eq!(status(server.post("/v1/events", &event)), 401);
    assert_eq!(status(sent("tk_wrong")), 401);
    assert_eq!(status(sent(&format!("{key}0"))), 401);
    assert_eq!(status(sent(&key)), 200);
    let asked = json!({"account": "whatsapp:1"});
    assert_eq!(status(server.post("/v1/recommendations", &asked).bearer_auth(&key)), 403);
    for path in [
        "/v1/persons/whatsapp:1/profile",
        "/v1/persons/whatsapp:1/export",
        "/v1/campaigns",
        "/v1/flow",
    ] {
        assert_eq!(status(server.get(path).bearer_auth(&key)), 403, "{path}");
    }
    assert_eq!(status(server.delete("/v1/persons/whatsapp:1").bearer_auth(&key)), 403);
    assert_eq!(status(server.post("/v1/items", &event).bearer_auth(&key)), 403);
    // The key itself is kept nowhere.
    for entry in std::fs::read_dir(place.path("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&key));
    }
    assert!(place.run(&["keys", "revoke", "test"]).status.success());
    place.run(&["keys", "add", "other", "--scopes", "admin"]);
    let until = Instant::now() + Duration::from_secs(60);
    while status(sent(&key)) != 401 {
        assert!(Instant::now() < until, "a revoked key still opens");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn base64(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_person_sees_only_their_own() {
    let place = Place::new();
    let pair = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let public = base64(pair.public_key().as_ref());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": public}]});
    std::fs::write(place.path("jwks.json"), keys.to_string()).unwrap();
    let asked = ["--jwks", "jwks.json", "--issuer", "idp", "--audience", "tactful"];
    let server = Server::start(&place, &[&["--policy", POLICY], &asked[..]].concat());
    let now = jiff::Timestamp::now().as_second();
    let token = |header: Value, claims: Value, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let body = format!(
            "{}.{}",
            base64(header.to_string().as_bytes()),
            base64(claims.to_string().as_bytes())
        );
        format!("{body}.{}", base64(&sign(body.as_bytes())))
    };
    let signed = |body: &[u8]| pair.sign(body).as_ref().to_vec();
    let header = json!({"alg": "EdDSA", "kid": "k"});
    let claims = json!({"sub": "whatsapp:1", "iss": "idp", "aud": "tactful", "exp": now + 600});
    let good = token(header.clone(), claims.clone(), &signed);
    let own = |token: &str| status(server.get("/v1/persons/whatsapp:1/profile").bearer_auth(token));
    assert_eq!(own(&good), 200);
    for path in [
        "/v1/persons/whatsapp:2/profile",
        "/v1/persons/whatsapp:2/export",
        "/v1/persons/whatsapp:1%2F../export",
    ] {
        let answer = status(server.get(path).bearer_auth(&good));
        assert!([403, 404, 400].contains(&answer), "{path}: {answer}");
    }
    assert_eq!(status(server.delete("/v1/persons/whatsapp:2").bearer_auth(&good)), 403);
    let others = json!({"accounts": ["whatsapp:1", "facebook:2"]});
    assert_eq!(status(server.post("/v1/links", &others).bearer_auth(&good)), 403);
    assert_eq!(status(server.post("/v1/events", &json!([])).bearer_auth(&good)), 403);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        token(header.clone(), claims, &signed)
    };
    let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes());
    let by_secret = |body: &[u8]| ring::hmac::sign(&hmac, body).as_ref().to_vec();
    let mut parts: Vec<&str> = good.split('.').collect();
    let forged =
        base64(json!({"sub": "whatsapp:2", "iss": "idp", "exp": now + 600}).to_string().as_bytes());
    parts[1] = &forged;
    for (why, token) in [
        ("none", token(json!({"alg": "none"}), claims.clone(), &|_| Vec::new())),
        (
            "the public key as a secret",
            token(json!({"alg": "HS256", "kid": "k"}), claims.clone(), &by_secret),
        ),
        ("another key", token(json!({"alg": "EdDSA", "kid": "other"}), claims.clone(), &signed)),
        ("expired", with("exp", json!(now - 600))),
        ("no expiry", with("exp", Value::Null)),
        ("another issuer", with("iss", json!("else"))),
        ("no issuer", with("iss", Value::Null)),
        ("an issuer of another kind", with("iss", json!(5))),
        ("another audience", with("aud", json!("else"))),
        ("no audience", with("aud", Value::Null)),
        ("an audience of another kind", with("aud", json!(5))),
        ("other claims", parts.join(".")),
        ("garbage", "a.b.c".to_owned()),
    ] {
        assert_eq!(own(&token), 401, "{why}");
    }
}

#[test]
fn other_sites_are_refused_and_nothing_is_loaded_from_elsewhere() {
    let server = Server::start(&Place::new(), &["--demo"]);
    let event = json!([]);
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        let answer = status(server.post("/v1/events", &event).header(name, value));
        assert!([401, 403].contains(&answer), "{name}: {answer}");
    }
    let same = server.post("/v1/events", &event).header("origin", format!("http://{host}"));
    assert_eq!(status(same), 200);
    for path in
        ["/feed", "/interests", "/console", "/assets/feed.js", "/v1/policy", "/openapi.json"]
    {
        let answer = server.get(path).send().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        let text = answer.text().unwrap();
        assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{path}");
    }
    for path in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/data/tactful.sqlite",
        "//etc/passwd",
    ] {
        assert_eq!(status(server.get(path)), 404, "{path}");
    }
}

#[test]
fn the_proxy_passes_bytes_on_and_learns_beside_the_way() {
    let place = Place::new();
    let (url, seen) = upstream(ANSWERED, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let answer = chat(&server, "What are good hikes near Boulder?").send().unwrap();
    assert_eq!(answer.headers()["x-own"], "kept");
    assert_eq!(answer.text().unwrap(), ANSWERED[1]);
    let request = seen.lock().unwrap()[0].clone();
    assert!(request.ends_with("{ \"model\":\"m\",\"messages\" : [{\"role\":\"user\",\"content\":\"What are good hikes near Boulder?\"}] }"), "{request}");
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer sk-upstream"), "{request}");
    assert!(!request.to_lowercase().contains("tactful"), "{request}");
    let interests = || json_of(server.get("/v1/persons/whatsapp:1/profile"))["interests"].clone();
    wait_for("nothing was learned", || interests()[0]["id"] == "outdoors.hiking");
    // The stored answer is deleted: what it taught goes with it.
    let gone =
        server.delete("/v1/chat/completions/chatcmpl-9").header("tactful-account", "whatsapp:1");
    assert_eq!(status(gone), 200);
    wait_for("it was not unlearned", || interests() == json!([]));
}

#[test]
fn the_proxy_flushes_each_chunk_and_outlives_clients_and_upstreams() {
    let place = Place::new();
    let (url, _) = upstream(STREAMED, Duration::from_millis(400));
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    let mut answer: Response = chat(&server, "hello").send().unwrap();
    let mut first = [0; 512];
    let length = answer.read(&mut first).unwrap();
    assert_eq!(&first[..length], STREAMED[1].as_bytes(), "the first chunk came alone");
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, STREAMED[2..].concat());
    // A client that goes away in the middle.
    let mut answer = chat(&server, "What are good hikes near Boulder?").send().unwrap();
    answer.read_exact(&mut [0; 5]).unwrap();
    drop(answer);
    assert_eq!(status(server.get("/healthz")), 200);
    // An upstream that is not there.
    let nowhere =
        Server::start(&Place::new(), &["--policy", POLICY, "--upstream", "http://127.0.0.1:9/v1"]);
    let answer = chat(&nowhere, "hello").send().unwrap();
    assert_eq!(answer.status(), 502);
    let error: Value = answer.json().unwrap();
    assert_eq!(error["error"]["type"], "server_error");
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let place = Place::new();
    let mut acknowledged = Vec::new();
    {
        let mut server = Server::start(&place, &["--policy", POLICY]);
        for n in 0..40 {
            let account = format!("whatsapp:{n}");
            json_of(server.post("/v1/events", &json!(known(&account, "US"))));
            let hike = turn(&account, "t", NOW, "What are good hikes near Boulder?");
            assert_eq!(json_of(server.post("/v1/events", &hike))["events"][0]["outcome"], "used");
            acknowledged.push(account);
        }
        server.process.kill().unwrap();
        server.process.wait().unwrap();
    }
    for account in acknowledged.iter().step_by(13) {
        assert_eq!(place.interests(account, NOW)[0], "outdoors.hiking", "{account}");
    }
    let server = Server::start(&place, &[]);
    for account in acknowledged {
        let profile = json_of(server.get(&format!("/v1/persons/{account}/profile?at={NOW}")));
        assert_eq!(profile["interests"][0]["id"], "outdoors.hiking");
    }
}

#[test]
fn canaries_are_found_nowhere() {
    let place = Place::new();
    let (url, _) = upstream(ANSWERED, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let canary = "zebracanary4711";
    let mut private = turn("whatsapp:1", "p", NOW, &format!("hikes {canary}"));
    private["audience"] = json!("people");
    let used = turn("whatsapp:1", "u", NOW, &format!("What are good hikes near Boulder? {canary}"));
    let ill = turn("whatsapp:1", "i", NOW, &format!("my {canary} hurts, is it cancer?"));
    let bad = json!({"type": canary, "at": NOW});
    json_of(
        server
            .post("/v1/events", &json!([private, used, ill, bad, {"type": "turn", "at": canary}])),
    );
    server
        .post("/v1/recommendations", &json!({"account": canary, "place": canary}))
        .send()
        .unwrap();
    chat(&server, canary).send().unwrap();
    let mut pages = String::new();
    for path in
        ["/metrics", "/v1/flow", "/v1/persons/whatsapp:1/export", "/v1/persons/whatsapp:1/profile"]
    {
        pages.push_str(&server.get(path).send().unwrap().text().unwrap());
    }
    assert!(pages.contains("tactful_events_total"), "{pages}");
    assert!(!pages.contains(canary));
    assert!(!server.log.lock().unwrap().contains(canary));
    assert!(server.log.lock().unwrap().contains("/v1/events"), "the log is there");
    for entry in std::fs::read_dir(place.path("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, canary.as_bytes()).is_none());
        assert!(memchr::memmem::find(&bytes, b"whatsapp:1").is_none());
    }
}

#[test]
fn without_keys_it_listens_on_this_machine_only() {
    let place = Place::new();
    let refused = place.run(&["serve", "--listen", "0.0.0.0:0", "--policy", POLICY]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("make a key first"));
}
