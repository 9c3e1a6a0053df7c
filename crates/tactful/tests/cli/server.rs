//! A running server, as its clients meet it, and the upstreams that it talks to.

use crate::run::Place;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const POLICY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/announced-2025-12-16.toml");
pub const NOW: &str = "2025-12-20T18:00:00Z";

/// A running server. Killed on drop.
pub struct Server {
    pub process: Child,
    pub url: String,
    pub log: Arc<Mutex<String>>,
    pub client: Client,
}

impl Server {
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::start_with(place, arguments, Command::new(env!("CARGO_BIN_EXE_tactful")))
    }

    /// Starts it by a command that runs the binary in its own way.
    pub fn start_with(place: &Place, arguments: &[&str], mut command: Command) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut process = command
            .current_dir(place.folder.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut began = String::new();
        let url = loop {
            let line = lines.next();
            assert!(line.is_some(), "it ended: {began}");
            let line = line.unwrap().unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
            began.push_str(&line);
        };
        let log = Arc::new(Mutex::new(began));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&line);
            }
        });
        Self { process, url, log, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub fn operator(place: &Place, scopes: &str) -> (Self, String) {
        let key = place.run(&["keys", "add", "test", "--scopes", scopes]);
        let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
        (Self::start(place, &["--policy", POLICY]), key)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).json(body)
    }

    pub fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.put(format!("{}{path}", self.url)).json(body)
    }

    pub fn patch(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.patch(format!("{}{path}", self.url)).json(body)
    }

    /// Where it listens, without the scheme.
    pub fn host(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.url))
    }

    /// The ids of a slate, and of those that an interest brought.
    pub fn slate(&self, account: &str, surface: &str, at: &str) -> (Vec<String>, Vec<String>) {
        let asked = json!({"account": account, "surfaces": [surface], "k": 5, "at": at,
            "place": "40.015,-105.271", "friends": ["facebook:jude"]});
        let answer: Value = json_of(self.post("/v1/recommendations", &asked));
        let slate = answer["slates"][0]["slate"].as_array().unwrap().clone();
        let title = |slot: &Value| slot["title"].as_str().unwrap().to_owned();
        let because = |slot: &&Value| {
            slot["reasons"].as_array().unwrap().iter().any(|reason| reason["kind"] == "interest")
        };
        (slate.iter().map(title).collect(), slate.iter().filter(because).map(title).collect())
    }

    /// One chat request to the demo; gives how it ended.
    pub fn say(&self, account: &str, words: &str, at: &str) -> String {
        let body = json!({"model": "demo", "messages": [{"role": "user", "content": words}]});
        let answer = self
            .post("/v1/chat/completions", &body)
            .header("tactful-account", account)
            .header("tactful-conversation", "c1")
            .header("tactful-at", at)
            .send()
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.headers()["tactful-outcome"].to_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn json_of(request: RequestBuilder) -> Value {
    let answer = request.send().unwrap();
    assert!(answer.status().is_success(), "{}: {}", answer.status(), answer.text().unwrap());
    answer.json().unwrap()
}

pub fn status(request: RequestBuilder) -> u16 {
    request.send().unwrap().status().as_u16()
}

/// An upstream that keeps what it was sent, and answers as it is told to.
pub fn upstream(
    answer: &'static [&'static str],
    pause: Duration,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, kept) = (stream.unwrap(), Arc::clone(&kept));
            std::thread::spawn(move || {
                let request = read_request(&mut stream);
                kept.lock().unwrap().push(request);
                for part in answer {
                    if stream.write_all(part.as_bytes()).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                    std::thread::sleep(pause);
                }
            });
        }
    });
    (url, seen)
}

pub fn read_request(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut part).unwrap();
        bytes.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let wanted = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()
            });
            if body.len() >= wanted.unwrap_or(0) || length == 0 {
                return text.into_owned();
            }
        }
    }
}

pub const ANSWERED: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-own: kept\r\nconnection: close\r\n\r\n",
    "{\"id\": \"chatcmpl-9\", \"choices\": [] }\n",
];

pub const STREAMED: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
    "data: {\"id\":\"chatcmpl-1\",\"n\":1}\n\n",
    "data: {\"id\":\"chatcmpl-1\",\"n\":2}\n\n",
    "data: [DONE]\n\n",
];

pub fn chat(server: &Server, words: &str) -> RequestBuilder {
    // Bytes that a parser would write otherwise: they must come through as they are.
    let body = format!(
        "{{ \"model\":\"m\",\"messages\" : [{{\"role\":\"user\",\"content\":\"{words}\"}}] }}"
    );
    server
        .client
        .post(format!("{}/v1/chat/completions", server.url))
        .header("content-type", "application/json")
        .header("authorization", "Bearer sk-upstream")
        .header("tactful-account", "whatsapp:1")
        .header("tactful-conversation", "c9")
        .body(body)
}

pub fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_there() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
