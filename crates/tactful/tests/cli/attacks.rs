//! What is refused, and what it must not bring down.

use crate::run::{Place, known, turn};
use crate::server::{ANSWERED, NOW, POLICY, Server, chat, json_of, status, upstream, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn nothing_is_smuggled_through_the_proxy() {
    let place = Place::new();
    let (url, seen) = upstream(ANSWERED, Duration::ZERO);
    let server = Server::start(&place, &["--policy", POLICY, "--upstream", &url]);
    let host = server.host().to_owned();
    // A length and chunks at once; the inner request must not come out on the other side.
    let inner = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let body = format!("0\r\n\r\n{inner}");
    let smuggled = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    raw(&server, &smuggled);
    for request in seen.lock().unwrap().iter() {
        let (head, _) = request.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(!(head.contains("transfer-encoding") && head.contains("content-length")), "{head}");
        assert!(!head.contains("host: x"), "{head}");
    }
    assert!(seen.lock().unwrap().len() <= 1, "one request came out as several");
    // Two lengths, a broken name, a line that is folded into another.
    for broken in [
        "content-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
        "content length: 3\r\n\r\nabc",
        "x: a\r\n b: c\r\ncontent-length: 0\r\n\r\n",
        "x: a\nb\0c: d\r\ncontent-length: 0\r\n\r\n",
    ] {
        let head =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        let answer = raw(&server, &(head + broken));
        assert!(answer.starts_with("HTTP/1.1 400"), "{broken:?}: {answer}");
    }
    // What `Connection` names ends here, and so does what is ours, in any writing.
    seen.lock().unwrap().clear();
    let sent =
        chat(&server, "hello").header("connection", "close, x-inner").header("x-inner", "secret");
    sent.header("tactful_account", "whatsapp:9").header("x-outer", "kept").send().unwrap();
    let request = seen.lock().unwrap()[0].to_lowercase();
    assert!(request.contains("x-outer: kept"), "{request}");
    assert!(!request.contains("x-inner") && !request.contains("tactful"), "{request}");
    // A path that climbs never reaches the upstream.
    seen.lock().unwrap().clear();
    for path in [
        "/v1/models/..",
        "/v1/models/%2e%2e",
        "/v1/models/.%2E",
        "/v1/models/..%2f..%2fadmin",
        "/v1/chat/completions/..",
        "/v1/conversations/../../admin",
    ] {
        let answer = raw(
            &server,
            &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        );
        let code = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "404"].contains(&code), "{path}: {answer}");
    }
    assert!(seen.lock().unwrap().is_empty());
    // Of two accounts nobody knows which one is meant: nobody learns.
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let both =
        chat(&server, "What are good hikes near Boulder?").header("tactful-account", "whatsapp:2");
    assert_eq!(status(both), 200);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(json_of(server.get("/v1/persons/whatsapp:1/profile"))["interests"], json!([]));
}

#[test]
fn a_body_that_is_too_long_or_broken_is_refused_in_the_shape_of_its_route() {
    let place = Place::new();
    let server =
        Server::start(&place, &["--policy", POLICY, "--upstream", "http://127.0.0.1:9/v1"]);
    let host = server.host().to_owned();
    // By its own word, and without one.
    for (path, openai) in [("/v1/events", false), ("/v1/chat/completions", true)] {
        let long = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 999999999\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&server, &long);
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert_eq!(answer.contains("\"error\""), openai, "{answer}");
        assert_eq!(answer.contains("application/problem+json"), !openai, "{answer}");
    }
    let mut stream = TcpStream::connect(&host).unwrap();
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.replace("host: x", &format!("host: {host}")).as_bytes()).unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    for _ in 0..9 {
        let _ = stream.write_all(chunk.as_bytes());
    }
    let mut answer = [0; 12];
    // Where the system has thrown the answer away with what was not read, the end alone is seen.
    if stream.read_exact(&mut answer).is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    assert_eq!(status(server.get("/healthz")), 200);
    // Nothing there, and no such method: in the shape of the route too.
    let lost = server.get("/v1/nothing").send().unwrap();
    assert_eq!(
        (lost.status().as_u16(), lost.headers()["content-type"].to_str().unwrap()),
        (404, "application/problem+json")
    );
    assert_eq!(status(server.client.put(format!("{}/v1/events", server.url))), 405);
    let wrong = server.client.put(format!("{}/v1/chat/completions", server.url)).send().unwrap();
    assert!(wrong.text().unwrap().contains("\"error\""));
    for query in ["?at=nonsense", "?at=", "?at=1&at=2", "?at=%ff"] {
        let answer = server.get(&format!("/v1/persons/whatsapp:1/profile{query}")).send().unwrap();
        assert_eq!(answer.status(), 400, "{query}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{query}");
    }
}

#[test]
fn a_title_is_text_wherever_it_comes_out() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    let title = "</script><img src=x onerror=alert(1)>\u{202e}";
    let item =
        json!({"id": "<b>", "kind": "group", "title": title, "created": "2025-12-01T00:00:00Z"});
    let sent = server.client.post(format!("{}/v1/items", server.url));
    json_of(sent.header("content-type", "application/x-ndjson").body(item.to_string()));
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let asked = json!({"account": "whatsapp:1", "surfaces": ["groups"], "at": NOW});
    let answer = server.post("/v1/recommendations", &asked).send().unwrap();
    // Never as HTML, and no browser may guess that it is.
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let slates: Value = answer.json().unwrap();
    assert_eq!(slates["slates"][0]["slate"][0]["title"], title);
    for path in ["/v1/persons/<script>/profile", "/<script>alert(1)</script>", "/v1/items/<script>"]
    {
        let answer = server.get(path).send().unwrap();
        assert!(answer.status().is_client_error());
        assert!(!answer.text().unwrap().contains("<script>"), "{path}");
    }
}

#[test]
fn ten_thousand_slow_connections_shut_nobody_out() {
    let limit = rlimit::increase_nofile_limit(20_000).unwrap();
    // Both ends need a file each; where the system allows fewer, fewer are opened.
    let count = 10_000.min(limit.saturating_sub(1_000)) as usize;
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    let mut slow = Vec::new();
    for n in 0..count {
        let mut stream = TcpStream::connect(server.host()).unwrap();
        // Half of them say nothing at all.
        if n % 2 == 0 {
            stream.write_all(b"POST /v1/events HTTP/1.1\r\nhost: ").unwrap();
        }
        slow.push(stream);
    }
    let began = Instant::now();
    let hike = turn("whatsapp:1", "t1", NOW, "What are good hikes near Boulder?");
    assert_eq!(json_of(server.post("/v1/events", &hike))["events"][0]["outcome"], "used");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    // And it does not wait for them for ever.
    let last = slow.len() - 2;
    slow[last].set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut end = Vec::new();
    slow[last].read_to_end(&mut end).unwrap();
    drop(slow);
    wait_for("it answers again", || status(server.get("/readyz")) == 200);
}
