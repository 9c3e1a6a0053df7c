//! What goes wrong around it: nothing that was acknowledged is lost, and it recovers by itself.

use crate::run::{Place, known, turn};
use crate::server::{NOW, POLICY, Server, chat, json_of, status, upstream, wait_for};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use reqwest::blocking::Client;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const HANGS: &[&str] = &[""];

#[test]
fn an_upstream_that_hangs_is_given_up_and_holds_nobody_else() {
    let place = Place::new();
    let (url, _) = upstream(HANGS, Duration::from_secs(600));
    let server =
        Server::start(&place, &["--policy", POLICY, "--upstream", &url, "--upstream-timeout", "2"]);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let hanging: Vec<_> =
            (0..20).map(|_| scope.spawn(|| chat(&server, "hello").send().unwrap())).collect();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(status(server.get("/healthz")), 200);
        json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
        for one in hanging {
            let answer = one.join().unwrap();
            assert_eq!(answer.status(), 504);
            assert_eq!(answer.json::<Value>().unwrap()["error"]["type"], "server_error");
        }
    });
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_full_disk_acknowledges_nothing_and_is_got_over() {
    let place = Place::new();
    // No file may grow past a megabyte or so: as a full disk, the write fails.
    let mut command = Command::new("bash");
    let run =
        format!("trap '' XFSZ; ulimit -S -f 600; exec {} \"$@\"", env!("CARGO_BIN_EXE_tactful"));
    command.args(["-c", &run, "tactful"]);
    let server = Server::start_with(&place, &["--policy", POLICY], command);
    let mut acknowledged = Vec::new();
    let mut failed = 0;
    for n in 0..400 {
        let events: Vec<Value> =
            (0..50).flat_map(|m| known(&format!("whatsapp:{n}-{m}"), "US")).collect();
        match status(server.post("/v1/events", &json!(events))) {
            200 => acknowledged.push(n),
            500 => failed += 1,
            other => assert_eq!(other, 200),
        }
        if failed > 3 {
            break;
        }
    }
    assert!(failed > 3, "the disk was never full");
    assert_eq!(status(server.get("/healthz")), 200);
    let pid = server.process.id().to_string();
    let raised =
        Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:unlimited"]).status();
    assert!(raised.unwrap().success());
    // There is room again.
    let hike = turn("whatsapp:0-0", "t1", NOW, "What are good hikes near Boulder?");
    wait_for("it recovers", || {
        let sent = server.post("/v1/events", &hike).send().unwrap();
        sent.status() == 200 && sent.json::<Value>().unwrap()["events"][0]["outcome"] == "used"
    });
    // What was acknowledged is there: each of these accounts is known.
    for n in acknowledged {
        let archive = json_of(server.get(&format!("/v1/persons/whatsapp:{n}-49/export")));
        assert_eq!(archive["accounts"][0]["facts"][0]["region"], "US", "{n}");
    }
}

/// The clock is set back while the server runs: what is held stays, and what a person says last
/// counts, at once and for good.
#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let Ok(faked) = Command::new("faketime").args(["-f", "+0d", "printenv", "LD_PRELOAD"]).output()
    else {
        eprintln!("not tried: faketime is not installed (scripts/setup)");
        return;
    };
    let place = Place::new();
    let clock = place.folder.path().join("clock");
    let set = |offset: &str| std::fs::write(&clock, offset).unwrap();
    set("+0d");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tactful"));
    command.env("LD_PRELOAD", String::from_utf8(faked.stdout).unwrap().trim());
    command.env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    let server = Server::start_with(&place, &["--policy", POLICY], command);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let say = |turn_id: &str, words: &str| {
        let at = jiff::Timestamp::now().to_string();
        let event = turn("whatsapp:1", turn_id, &at, words);
        json_of(server.post("/v1/events", &event))["events"][0]["outcome"].clone()
    };
    assert_eq!(say("t1", "What are good hikes near Boulder?"), "used");
    let profile = || json_of(server.get("/v1/persons/whatsapp:1/profile"));
    let tomorrow = || {
        let at = jiff::Timestamp::now() + Duration::from_secs(86_400);
        json_of(server.get(&format!("/v1/persons/whatsapp:1/profile?at={at}")))
    };
    let wish = |wish: &str| {
        let body = json!({"interest": "outdoors.hiking", "wish": wish});
        assert_eq!(status(server.post("/v1/persons/whatsapp:1/preferences", &body)), 204);
    };
    let has_hiking = |profile: Value| {
        let interests = profile["interests"].as_array().unwrap().clone();
        interests.iter().any(|interest| interest["id"] == "outdoors.hiking")
    };
    assert!(has_hiking(profile()));
    wish("never");
    assert!(!has_hiking(profile()));
    set("-2d");
    // Two days before it was said; yet it is there, and what is said now comes after it.
    assert!(!has_hiking(tomorrow()));
    wish("clear");
    assert!(has_hiking(tomorrow()));
    wish("never");
    assert!(!has_hiking(profile()) && !has_hiking(tomorrow()));
    wish("clear");
    assert_eq!(status(server.delete("/v1/persons/whatsapp:1")), 200);
    assert!(tomorrow()["interests"].as_array().unwrap().is_empty());
    set("+0d");
    let archive = json_of(server.get("/v1/persons/whatsapp:1/export"));
    assert!(!archive.to_string().contains("outdoors.hiking"), "{archive}");
    // It is as one who is new, and learns again.
    json_of(server.post("/v1/events", &json!(known("whatsapp:2", "US"))));
    let at = jiff::Timestamp::now().to_string();
    let event = turn("whatsapp:2", "t2", &at, "What are good hikes near Boulder?");
    assert_eq!(json_of(server.post("/v1/events", &event))["events"][0]["outcome"], "used");
}

#[test]
fn stopping_ends_what_was_begun() {
    let place = Place::new();
    let parts: &[&str] = &[
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
        "data: 1\n\n",
        "data: 2\n\n",
        "data: 3\n\n",
    ];
    let (url, _) = upstream(parts, Duration::from_millis(500));
    let mut server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    let answer = chat(&server, "hello").send().unwrap();
    let pid = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(answer.text().unwrap().ends_with("data: 3\n\n"));
    assert!(server.process.wait().unwrap().success());
}

fn token(pair: &Ed25519KeyPair, kid: &str) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let exp = jiff::Timestamp::now().as_second() + 600;
    let body = format!(
        "{}.{}",
        part(json!({"alg": "EdDSA", "kid": kid})),
        part(json!({"sub": "whatsapp:1", "exp": exp}))
    );
    format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(pair.sign(body.as_bytes())))
}

#[test]
fn the_key_set_may_be_had_by_url() {
    let place = Place::new();
    let pair = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let keys =
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": x}]});
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{keys}");
    let answer: &'static [&'static str] = vec![&*answer.leak()].leak();
    let (url, seen) = upstream(answer, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--jwks", &url]);
    let own =
        |token: String| status(server.get("/v1/persons/whatsapp:1/profile").bearer_auth(token));
    assert_eq!(own(token(&pair, "k")), 200);
    // A flood of tokens of keys that nobody knows does not become a flood of requests.
    for _ in 0..20 {
        assert_eq!(own(token(&pair, "unknown")), 401);
    }
    assert!(seen.lock().unwrap().len() <= 2);
    let refused = place.run(&["serve", "--policy", POLICY, "--jwks", "http://idp.example/keys"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("only https"));
}

#[test]
fn it_speaks_tls_when_given_a_certificate() {
    let place = Place::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(place.path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let server = Server::start(
        &place,
        &["--policy", POLICY, "--tls-cert", "cert.pem", "--tls-key", "key.pem"],
    );
    assert!(server.url.starts_with("https://"));
    let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap();
    let port = server.url.rsplit(':').next().unwrap();
    let answer = client.get(format!("https://localhost:{port}/healthz")).send().unwrap();
    assert_eq!(answer.status(), 200);
    let alone = place.run(&["serve", "--policy", POLICY, "--tls-cert", "cert.pem"]);
    assert!(String::from_utf8_lossy(&alone.stderr).contains("go together"));
}

const COLLECTED: &[&str] =
    &["HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n", "{}"];

#[test]
fn traces_name_routes_and_nobody() {
    let place = Place::new();
    let (url, seen) = upstream(COLLECTED, Duration::ZERO);
    let collector = url.strip_suffix("/v1").unwrap();
    let mut server = Server::start(&place, &["--policy", POLICY, "--otlp", collector]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let asked = server.get("/v1/persons/whatsapp:zebra4711/profile?at=2025-12-20T18:00:00Z");
    asked.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01")).send().unwrap();
    json_of(server.post("/v1/events", &turn("whatsapp:zebra4711", "t1", NOW, "zebra4711")));
    let pid = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.process.wait().unwrap().success());
    let sent = seen.lock().unwrap().join("\n");
    assert!(sent.starts_with("POST /v1/traces"), "{sent}");
    assert!(sent.contains("/v1/persons/{account}/profile") && sent.contains(trace), "{sent}");
    assert!(!sent.contains("zebra4711"), "{sent}");
}
