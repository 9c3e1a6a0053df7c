//! The server under load: itself on one core, its clients on another, the floor (an empty handler of
//! the same framework) and the rival (the upstream without the proxy) in the same run.

use super::{Numbers, median, write_log};
use crate::data::Data;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::json;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tactful_core::reading::{Stage, Weight};
use tactful_store::inventory::StoredItem;

/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(3);

/// Clients at once: of single events, of batches.
const SINGLE: usize = 64;
const BATCHED: usize = 8;

/// Events of a batch.
const BATCH: usize = 100;

/// Streams at once.
const STREAMS: usize = 1_000;

/// People with profiles, of ten turns each.
const PEOPLE: usize = 2_000;

/// Items that recommendations are made from.
const ITEMS: usize = 100_000;

/// What was measured of the server.
#[derive(Serialize)]
pub struct Served {
    /// Was each side on a core of its own?
    pinned: bool,
    /// Requests a second that an empty handler of the same framework answers.
    floor_per_second: f64,
    /// Events a second, durable, one a request.
    single_per_second: f64,
    /// Its part of the floor.
    single_ratio: f64,
    /// Events a second, durable, a hundred a request.
    batched_per_second: f64,
    /// Its part of the floor.
    batched_ratio: f64,
    /// Microseconds to the first byte of an answer, straight from the upstream and by the proxy.
    direct_first_byte: f64,
    proxied_first_byte: f64,
    /// Of so many streams at once through the proxy, so many came whole.
    streams: usize,
    streams_whole: usize,
    /// Milliseconds of a request for recommendations of groups at so many items.
    items: usize,
    recommendations_p50: f64,
    recommendations_p99: f64,
}

/// A process that is killed when it goes.
struct Running {
    process: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts this binary on the first core, and waits until it says where it listens.
fn start(folder: &Path, pinned: bool, arguments: &[&str]) -> Result<Running> {
    let binary = std::env::current_exe()?;
    let mut command = match pinned {
        true => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(&binary);
            command
        }
        false => Command::new(&binary),
    };
    command.current_dir(folder).args(arguments).stderr(Stdio::piped()).stdin(Stdio::null());
    let mut process = command.spawn().context("cannot start the server")?;
    let errors = process.stderr.take().context("the server has no log")?;
    let mut lines = BufReader::new(errors).lines();
    let mut said = String::new();
    let address = loop {
        let Some(line) = lines.next() else { bail!("the server ended: {said}") };
        let line = line?;
        if let Some(url) = line.strip_prefix("listening on http://") {
            break url.parse()?;
        }
        said.push_str(&line);
    };
    // Its log must be read, or it would wait for us.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Ok(Running { process, address })
}

/// `tactful floor`: one empty handler.
///
/// # Errors
/// When it cannot listen.
pub fn floor() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        let empty = axum::routing::post(|| async { axum::http::StatusCode::NO_CONTENT });
        let router: axum::Router = axum::Router::new().route("/v1/events", empty);
        axum::serve(listener, router).await?;
        Ok(())
    })
}

fn request(path: &str, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection that sends one request after another.
struct Client {
    stream: TcpStream,
    kept: Vec<u8>,
}

impl Client {
    fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, kept: Vec::new() })
    }

    /// Sends a request and reads its answer; gives the status and when its first byte came.
    fn ask(&mut self, request: &[u8]) -> Result<(u16, Instant)> {
        self.stream.write_all(request)?;
        let mut first = None;
        self.kept.clear();
        let mut part = [0; 16 << 10];
        loop {
            let length = self.stream.read(&mut part)?;
            let at = *first.get_or_insert_with(Instant::now);
            if length == 0 {
                bail!("the server hung up");
            }
            self.kept.extend_from_slice(&part[..length]);
            let Some(head) = memchr::memmem::find(&self.kept, b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&self.kept[..head]).to_ascii_lowercase();
            let status = text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
            let told = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = match told.and_then(|length| length.trim().parse::<usize>().ok()) {
                Some(length) => self.kept.len() >= head + 4 + length,
                None => status == 204 || self.kept.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                return Ok((status, at));
            }
        }
    }
}

/// Requests a second that so many clients get answered.
fn load(
    address: SocketAddr,
    clients: usize,
    make: &(dyn Fn(usize, usize) -> Vec<u8> + Sync),
) -> Result<f64> {
    let began = Instant::now();
    let counts = std::thread::scope(|scope| {
        let work = |client: usize| {
            move || -> Result<u64> {
                let mut connection = Client::to(address)?;
                let mut count = 0;
                while began.elapsed() < SPAN {
                    let (status, _) = connection.ask(&make(client, count as usize))?;
                    if !(200..300).contains(&status) {
                        bail!("the server answered {status}");
                    }
                    count += 1;
                }
                Ok(count)
            }
        };
        let threads: Vec<_> = (0..clients).map(|client| scope.spawn(work(client))).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.collect::<Vec<_>>()
    });
    let mut sum = 0;
    for count in counts {
        sum += count.map_err(|_| anyhow::anyhow!("a client ended early"))??;
    }
    Ok(sum as f64 / began.elapsed().as_secs_f64())
}

/// A turn of one of the people who are told nothing here: half of all.
fn turn(texts: &[String], client: usize, number: usize) -> String {
    let person = PEOPLE / 2 + (client * 31 + number / 4) % (PEOPLE / 2);
    json!({"type": "turn", "at": "2025-12-20T18:00:00Z", "account": format!("whatsapp:{person}"),
        "conversation": format!("b{client}-{}", number / 4), "turn": number.to_string(), "role": "user",
        "audience": "assistant", "encrypted": false, "modality": "text", "product": "assistant",
        "text": texts[(client * 17 + number) % texts.len()]})
    .to_string()
}

/// Measures.
///
/// # Errors
/// When a server cannot be started or answers wrongly.
pub fn measure(folder: &Path, runs: usize) -> Result<Served> {
    let pid = std::process::id().to_string();
    let pin =
        Command::new("taskset").args(["-a", "-c", "-p", "1", &pid]).stdout(Stdio::null()).status();
    let pinned = pin.is_ok_and(|status| status.success());
    let upstream = upstream()?;
    fill(folder)?;
    let to = format!("http://{upstream}/v1");
    let server = start(folder, pinned, &["serve", "--listen", "127.0.0.1:0", "--upstream", &to])?;
    let floor = start(folder, pinned, &["floor"])?;
    let texts = super::texts();
    let one = |client: usize, number: usize| {
        request("/v1/events", "application/json", &turn(&texts, client, number))
    };
    let many = |client: usize, number: usize| {
        let lines: Vec<String> =
            (0..BATCH).map(|n| turn(&texts, client + 1_000, number * BATCH + n)).collect();
        request("/v1/events", "application/x-ndjson", &lines.join("\n"))
    };
    let (mut floors, mut singles, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        floors.push(load(floor.address, SINGLE, &one)?);
        singles.push(load(server.address, SINGLE, &one)?);
        batches.push(load(server.address, BATCHED, &many)? * BATCH as f64);
    }
    let (floor_per_second, single_per_second) = (median(floors), median(singles));
    let batched_per_second = median(batches);
    let (direct_first_byte, proxied_first_byte) = first_bytes(upstream, server.address)?;
    let streams_whole = streams(server.address)?;
    let (recommendations_p50, recommendations_p99) = recommendations(server.address)?;
    Ok(Served {
        pinned,
        floor_per_second,
        single_per_second,
        single_ratio: single_per_second / floor_per_second,
        batched_per_second,
        batched_ratio: batched_per_second / floor_per_second,
        direct_first_byte,
        proxied_first_byte,
        streams: STREAMS,
        streams_whole,
        items: ITEMS,
        recommendations_p50,
        recommendations_p99,
    })
}

/// A data folder with a policy, people with profiles, and many items.
fn fill(folder: &Path) -> Result<()> {
    let log = write_log(folder, 10 * PEOPLE)?;
    let policy = folder.join("policy.toml");
    std::fs::write(&policy, super::POLICY)?;
    let done = Command::new(std::env::current_exe()?)
        .current_dir(folder)
        .arg("ingest")
        .arg(&log)
        .arg("--policy")
        .arg(&policy)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !done.success() {
        bail!("the data for the server could not be taken in");
    }
    // Items as they are kept once they were read: the reading of items is not what is measured here.
    let mut data = Data::open(&folder.join("data"), None, None, false)?;
    let leaves = data.taxonomy.leaves().len();
    let mut numbers = Numbers(11);
    let items: Vec<StoredItem> = (0..ITEMS)
        .map(|n| {
            let id = format!("{n:08}");
            let place = [40.0 + (n % 1000) as f64 / 1000.0, -105.0];
            let body = json!({"id": id, "kind": "group", "title": format!("Group {n}"), "place": place,
                "quality": (n % 97) as f64 / 97.0, "created": "2025-12-01T00:00:00Z"});
            let weight = Weight(200 + numbers.next(800) as u16);
            let found = vec![(numbers.interest(leaves), weight, Stage::Curious)];
            StoredItem { item: id, body: body.to_string(), found }
        })
        .collect();
    Ok(data.store.put_items(&items)?)
}

const CHUNK: &str =
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\"word \"}}]}\n\n";

/// A small upstream: streams five chunks; at once, or slowly when the path says so.
fn upstream() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::Builder::new()
                .stack_size(128 << 10)
                .spawn(move || serve_chats(stream))
                .ok();
        }
    });
    Ok(address)
}

fn serve_chats(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut kept = Vec::new();
    let mut part = [0; 4096];
    loop {
        let head = loop {
            if let Some(head) = memchr::memmem::find(&kept, b"\r\n\r\n") {
                break head;
            }
            match stream.read(&mut part)? {
                0 => return Ok(()),
                length => kept.extend_from_slice(&part[..length]),
            }
        };
        let text = String::from_utf8_lossy(&kept[..head]).to_ascii_lowercase();
        let told = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = told.and_then(|n| n.trim().parse::<usize>().ok()).unwrap_or(0);
        while kept.len() < head + 4 + length {
            match stream.read(&mut part)? {
                0 => return Ok(()),
                length => kept.extend_from_slice(&part[..length]),
            }
        }
        let slow = memchr::memmem::find(&kept, b"slowly").is_some();
        kept.drain(..head + 4 + length);
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        for _ in 0..5 {
            write!(stream, "{:x}\r\n{CHUNK}\r\n", CHUNK.len())?;
            if slow {
                std::thread::sleep(Duration::from_millis(400));
            }
        }
        stream.write_all(b"0\r\n\r\n")?;
    }
}

fn chat(words: &str) -> Vec<u8> {
    let body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": words}]});
    let head = "application/json\r\ntactful-account: whatsapp:1\r\ntactful-conversation: bench";
    request("/v1/chat/completions", head, &body.to_string())
}

/// Microseconds to the first byte, one after the other, taking turns.
fn first_bytes(upstream: SocketAddr, proxy: SocketAddr) -> Result<(f64, f64)> {
    let (mut direct, mut proxied) = (Client::to(upstream)?, Client::to(proxy)?);
    let (mut times, mut through) = (Vec::new(), Vec::new());
    let asked = chat("hello");
    for n in 0..1_200 {
        for (client, times) in [(&mut direct, &mut times), (&mut proxied, &mut through)] {
            let began = Instant::now();
            let (status, first) = client.ask(&asked)?;
            if status != 200 {
                bail!("the proxy answered {status}");
            }
            if n >= 200 {
                times.push(first.duration_since(began).as_secs_f64() * 1e6);
            }
        }
    }
    Ok((median(times), median(through)))
}

/// How many of many streams at once came whole.
fn streams(proxy: SocketAddr) -> Result<usize> {
    let asked = chat("slowly");
    let whole = std::thread::scope(|scope| {
        let one = || -> Result<bool> {
            let mut client = Client::to(proxy)?;
            let (status, _) = client.ask(&asked)?;
            let chunks = memchr::memmem::find_iter(&client.kept, b"data: ").count();
            Ok(status == 200 && chunks == 5)
        };
        let spawn = |_| std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, one);
        let threads: Vec<_> = (0..STREAMS).filter_map(|n| spawn(n).ok()).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.filter(|ended| matches!(ended, Ok(Ok(true)))).count()
    });
    Ok(whole)
}

/// Milliseconds of a request for a slate: the median and the 99th of a hundred.
fn recommendations(server: SocketAddr) -> Result<(f64, f64)> {
    let mut client = Client::to(server)?;
    let mut times = Vec::new();
    for n in 0..2_000 {
        let body = json!({"account": format!("whatsapp:{}", n % (PEOPLE / 2)), "surfaces": ["groups"], "k": 10,
            "at": "2026-01-15T00:00:00Z", "place": "40.01,-105.0"});
        let asked = request("/v1/recommendations", "application/json", &body.to_string());
        let began = Instant::now();
        let (status, _) = client.ask(&asked)?;
        if status != 200 {
            bail!("the server answered {status}");
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the server{}", if self.pinned { ", on one core" } else { "" })?;
        writeln!(f, "floor: empty handler, a second  {:>12.0}", self.floor_per_second)?;
        writeln!(
            f,
            "events a second, one a request  {:>12.0}  ({:.2} of the floor)",
            self.single_per_second, self.single_ratio
        )?;
        writeln!(
            f,
            "events a second, 100 a request  {:>12.0}  ({:.2} of the floor)",
            self.batched_per_second, self.batched_ratio
        )?;
        writeln!(
            f,
            "first byte: direct / proxied    {:>9.0} / {:.0} us",
            self.direct_first_byte, self.proxied_first_byte
        )?;
        writeln!(
            f,
            "streams at once that came whole {:>12} of {}",
            self.streams_whole, self.streams
        )?;
        writeln!(
            f,
            "slate at {} items, p50 / p99 {:>8.2} / {:.2} ms",
            self.items, self.recommendations_p50, self.recommendations_p99
        )
    }
}
