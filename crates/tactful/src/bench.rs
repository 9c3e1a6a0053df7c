//! `tactful bench`: this build on this machine. Every figure is the median of several runs, with
//! the floor or the rival that it is to be read against measured in the same run.

mod serving;

use crate::data::{Data, model};
use crate::events::Line;
use crate::ingest::{Options as IngestOptions, ingest};
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tactful_core::chat::Words;
use tactful_core::gate::admit_open;
use tactful_core::policy::Policy;
use tactful_core::profile::{Lens, Profile, UNIT, reduce};
use tactful_core::ranking::exclude::Setting;
use tactful_core::ranking::index::{Index, Term, terms};
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::{Item, Surface};
use tactful_core::ranking::slate::rank;
use tactful_core::reading::{Reader, Weight};
use tactful_core::taxonomy::Interest;
use tactful_reader::Model;

const LOG: &str = include_str!("../../../examples/world/log.jsonl");
const POLICY: &str = include_str!("../../../policies/announced-2025-12-16.toml");

/// What to measure with.
#[derive(clap::Args)]
pub struct Options {
    /// Runs of each measurement; the median is told.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Turns of the log that is made and taken in.
    #[arg(long, default_value_t = 100_000)]
    turns: usize,
    /// Take in this log instead (under the policy as announced).
    #[arg(long)]
    log: Option<PathBuf>,
    /// Items of the two inventories.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    items: Vec<usize>,
    /// Measure the server under load instead: itself on one core, its clients on another.
    #[arg(long)]
    server: bool,
}

/// What was measured: in process, or of the server.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Figures {
    /// In process.
    InProcess(Box<Measured>),
    /// Of the server.
    Server(serving::Served),
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess(measured) => measured.fmt(f),
            Self::Server(served) => served.fmt(f),
        }
    }
}

pub use serving::floor;

/// What was measured.
#[derive(Serialize)]
pub struct Measured {
    /// Turns a second on one core: firewall and interests together.
    understood_per_second: f64,
    /// The floor of it: only its tokens.
    tokenised_per_second: f64,
    /// Turns a second from a file to durable rows, on all cores.
    ingested_per_second: f64,
    /// The floor of it: only splitting the lines into fields, on one core.
    parsed_per_second: f64,
    /// Turns that were taken in.
    turns: u64,
    /// Seconds from nothing to a loaded model.
    model_load_seconds: f64,
    /// Persons a second: rows read and reduced.
    profiles_per_second: f64,
    /// The inventories.
    slates: Vec<Slates>,
    /// The most memory that the process had, in bytes.
    peak_bytes: u64,
    /// Runs of each measurement.
    runs: usize,
}

/// One inventory: 30 interests a profile, 30 % of the items filtered in, 20 hits.
#[derive(Serialize)]
struct Slates {
    items: usize,
    /// Whole slates of groups a second: candidates, exclusions, scores, diversity.
    per_second: f64,
    /// Microseconds of the index alone: the median and the 99th of a hundred.
    index_p50: f64,
    index_p99: f64,
    /// The same items and scores by looking at every item, in microseconds.
    scan_p50: f64,
    /// How many times faster the index is.
    ratio: f64,
    /// Bytes an item in the index.
    bytes_per_item: f64,
}

/// A generator of numbers that are the same on every machine (an LCG by Knuth).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// An interest, the common ones far more often (Zipf, exponent near 1).
    fn interest(&mut self, count: usize) -> Interest {
        let span = (count as f64).ln();
        let rank = (self.next(1_000_000) as f64 / 1e6 * span).exp();
        Interest((rank as usize - 1).min(count - 1) as u16)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Runs something several times; gives the median of how often a second its unit was done.
fn rate(runs: usize, units: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        work()?;
        rates.push(units as f64 / began.elapsed().as_secs_f64());
    }
    Ok(median(rates))
}

/// Measures.
///
/// # Errors
/// When a folder for temporary files cannot be used.
pub fn bench(options: &Options) -> Result<Figures> {
    let folder = std::env::temp_dir().join(format!("tactful-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = match options.server {
        true => serving::measure(&folder, options.runs.max(1)).map(Figures::Server),
        false => measure(options, &folder).map(|m| Figures::InProcess(Box::new(m))),
    };
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(options: &Options, folder: &Path) -> Result<Measured> {
    let taxonomy = crate::data::taxonomy()?;
    let began = Instant::now();
    let model = model(&taxonomy)?;
    let model_load_seconds = began.elapsed().as_secs_f64();
    let texts = texts();
    let runs = options.runs.max(1);
    let rounds = 20_000usize.div_ceil(texts.len());
    let understood_per_second = rate(runs, rounds * texts.len(), || {
        for text in texts.iter().cycle().take(rounds * texts.len()) {
            let admitted = admit_open(Words::new(text.clone()), Vec::new());
            std::hint::black_box(model.read(admitted.spoken()));
        }
        Ok(())
    })?;
    let tokenised_per_second = rate(runs, rounds * texts.len(), || {
        for text in texts.iter().cycle().take(rounds * texts.len()) {
            std::hint::black_box(model.tokens(text));
        }
        Ok(())
    })?;
    let log = match &options.log {
        Some(log) => log.clone(),
        None => write_log(folder, options.turns)?,
    };
    let lines = std::fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let turns = lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).count();
    let parsed_per_second = rate(runs, turns, || {
        for line in lines.split(|b| *b == b'\n') {
            std::hint::black_box(Line::split(line).is_ok());
        }
        Ok(())
    })?;
    drop(lines);
    let policy = Policy::parse(POLICY).map_err(anyhow::Error::msg)?;
    let mut last = None;
    let mut run = 0;
    let ingested_per_second = rate(runs, turns, || {
        run += 1;
        last = Some(take_in(folder, run, &log, &policy, &model)?);
        Ok(())
    })?;
    let profiles_per_second = match &mut last {
        Some(data) => profiles(runs, data, &policy)?,
        None => 0.0,
    };
    let slates = options
        .items
        .iter()
        .map(|items| measure_slates(runs, *items, taxonomy.leaves().len()))
        .collect::<Result<_>>()?;
    Ok(Measured {
        understood_per_second,
        tokenised_per_second,
        ingested_per_second,
        parsed_per_second,
        turns: turns as u64,
        model_load_seconds,
        profiles_per_second,
        slates,
        peak_bytes: peak_bytes(),
        runs,
    })
}

fn texts() -> Vec<String> {
    let lines = LOG.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
}

/// A log of so many turns, in conversations of two, ten an account.
fn write_log(folder: &Path, turns: usize) -> Result<PathBuf> {
    let path = folder.join("log.jsonl");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let texts = texts();
    for (n, text) in texts.iter().cycle().take(turns).enumerate() {
        let account = format!("whatsapp:{}", n / 10);
        if n % 10 == 0 {
            let known = json!({"type": "account", "at": "2025-10-01T00:00:00Z", "account": account, "region": "US"});
            let told = json!({"type": "notice", "at": "2025-10-07T12:00:00Z", "account": account, "notice": "n",
                "version": "1", "channel": "email", "delivered": true});
            writeln!(out, "{known}\n{told}")?;
        }
        let at = jiff::Timestamp::from_second(1_766_000_000 + n as i64)?.to_string();
        let turn = json!({"type": "turn", "at": at, "account": account, "conversation": format!("c{}", n / 2),
            "turn": n.to_string(), "role": "user", "audience": "assistant", "encrypted": false,
            "modality": "text", "product": "assistant", "text": text,
            "context": [{"role": "assistant", "text": "Sure, tell me more about it."}]});
        writeln!(out, "{turn}")?;
    }
    out.flush()?;
    Ok(path)
}

fn take_in(folder: &Path, run: usize, log: &Path, policy: &Policy, model: &Model) -> Result<Data> {
    let key = folder.join("key");
    let mut data =
        Data::open(&folder.join(format!("data{run}")), Some(&key), None, run == 1 || key.exists())?;
    let options = IngestOptions { strict: false, progress: false };
    ingest(&[log.to_owned()], &mut data, policy, model, &options)?;
    Ok(data)
}

fn profiles(runs: usize, data: &mut Data, policy: &Policy) -> Result<f64> {
    let at = "2026-03-01T00:00:00Z".parse()?;
    let accounts: Vec<_> = data.store.accounts()?.into_iter().take(2_000).collect();
    rate(runs, accounts.len(), || {
        for account in &accounts {
            let person = data.store.person(*account, at, policy.cross_platform)?;
            let lens = Lens::new(policy, &person, at);
            std::hint::black_box(reduce(&person.rows, &lens));
        }
        Ok(())
    })
}

fn measure_slates(runs: usize, count: usize, leaves: usize) -> Result<Slates> {
    let mut numbers = Numbers(7);
    let created = "2025-12-01T00:00:00Z".parse()?;
    let items = (0..count).map(|n| Item {
        id: format!("{n:08}"),
        surface: Surface::Groups,
        title: String::new(),
        language: None,
        regions: BTreeSet::new(),
        place: None,
        author: None,
        friends_only: n % 10 >= 3,
        quality: numbers.next(1000) as u16,
        created,
        campaign: None,
        interests: (0..=numbers.next(4))
            .map(|_| (numbers.interest(leaves), Weight(200 + numbers.next(800) as u16)))
            .collect(),
    });
    let inventory = Inventory::build(items.collect::<Vec<_>>(), leaves);
    let profiles: Vec<Profile> = (0..100)
        .map(|_| {
            Profile::of(
                (0..30).map(|_| (numbers.interest(leaves), UNIT / 4 + numbers.next(3 * UNIT))),
            )
        })
        .collect();
    let setting = Setting { now: "2026-01-15T00:00:00Z".parse()?, ..Setting::default() };
    let per_second = rate(runs, profiles.len(), || {
        for profile in &profiles {
            std::hint::black_box(rank(&inventory, Surface::Groups, 20, &setting, profile));
        }
        Ok(())
    })?;
    let shelf = inventory.shelf(Surface::Groups).context("a surface without a shelf")?;
    let accept = |n: u32| inventory.item(n).is_some_and(|item| !item.friends_only);
    let time = |search: &dyn Fn(&Index, &[Term])| {
        let mut times = Vec::new();
        for profile in profiles.iter().cycle().take(runs * profiles.len()) {
            let terms = terms(profile);
            let began = Instant::now();
            search(&shelf.index, &terms);
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[times.len() * 99 / 100])
    };
    let (index_p50, index_p99) = time(&|index, terms| {
        std::hint::black_box(index.search(terms, 20, accept));
    });
    let (scan_p50, _) = time(&|index, terms| {
        std::hint::black_box(index.scan(terms, 20, accept));
    });
    Ok(Slates {
        items: count,
        per_second,
        index_p50,
        index_p99,
        scan_p50,
        ratio: scan_p50 / index_p50,
        bytes_per_item: shelf.index.bytes() as f64 / count as f64,
    })
}

/// The high-water mark of the resident set, as the kernel tells it; 0 where it does not.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "median of {} runs", self.runs)?;
        writeln!(f, "model loaded in                 {:>12.3} s", self.model_load_seconds)?;
        writeln!(
            f,
            "turns understood a second       {:>12.0}  (one core)",
            self.understood_per_second
        )?;
        writeln!(f, "  floor: tokenised only         {:>12.0}", self.tokenised_per_second)?;
        writeln!(
            f,
            "lines ingested durably a second {:>12.0}  ({} lines)",
            self.ingested_per_second, self.turns
        )?;
        writeln!(f, "  floor: parsed only, one core  {:>12.0}", self.parsed_per_second)?;
        writeln!(f, "profiles read a second          {:>12.0}", self.profiles_per_second)?;
        for slates in &self.slates {
            writeln!(f, "at {} items", slates.items)?;
            writeln!(f, "  slates a second               {:>12.0}", slates.per_second)?;
            writeln!(
                f,
                "  index, p50 / p99              {:>9.0} / {:.0} us",
                slates.index_p50, slates.index_p99
            )?;
            writeln!(
                f,
                "  rival: full scan, p50         {:>12.0} us  ({:.1} times slower)",
                slates.scan_p50, slates.ratio
            )?;
            writeln!(f, "  bytes an item in the index    {:>12.0}", slates.bytes_per_item)?;
        }
        writeln!(f, "peak memory                     {:>12.0} MB", self.peak_bytes as f64 / 1e6)
    }
}
