//! `tactful bench`: this build on this machine. Every figure is the median of several runs, with
//! the floor or the rival that it is to be read against measured in the same run.

mod reading;
mod serving;

use crate::data::{Data, model};
use crate::events::Line;
use crate::ingest::{Options as IngestOptions, ingest};
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tactful_core::chat::Region;
use tactful_core::policy::Policy;
use tactful_core::profile::{Lens, Profile, UNIT, reduce};
use tactful_core::ranking::exclude::{Setting, exclusion, facets, needs};
use tactful_core::ranking::index::{self, Hit, Index, Term, terms};
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::{Item, Surface};
use tactful_core::ranking::slate::rank;
use tactful_core::reading::Weight;
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
    /// Read these texts (NDJSON {text}) in place of those of the example world.
    #[arg(long)]
    prompts: Option<PathBuf>,
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
    /// The reader alone.
    reading: reading::Measured,
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

/// One inventory. Profiles have 30 interests, drawn with the common ones far more often, and
/// fall off by e every eight; items have 1 to 5; 20 hits are asked for; language, region and
/// audience let about 30 % of the items in.
#[derive(Serialize)]
struct Slates {
    items: usize,
    /// Whole slates of groups a second: candidates, exclusions, scores, diversity.
    per_second: f64,
    /// The share of items that the filter lets in.
    let_in: f64,
    /// Microseconds of the index alone, over 300 profiles.
    index_p50: f64,
    index_p99: f64,
    /// The same hits by adding up a list for each term, in microseconds.
    terms_p50: f64,
    terms_p99: f64,
    /// The same hits by looking at every item, in microseconds.
    scan_p50: f64,
    /// How many times faster the index is than the faster of these.
    ratio: f64,
    /// Bytes an item in the index.
    bytes_per_item: f64,
    /// Seconds until a hundred items more are in effect.
    hundred_more_seconds: f64,
}

/// A generator of numbers that are the same on every machine (an LCG by Knuth).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// Evenly from 0 to 1.
    fn share(&mut self) -> f64 {
        self.next(1 << 30) as f64 / (1u64 << 30) as f64
    }

    /// One of some, each as often as its share says.
    fn one_of(&mut self, shares: impl ExactSizeIterator<Item = f64>) -> usize {
        let (last, mut left) = (shares.len() - 1, self.share());
        let chosen = shares.take_while(|share| {
            left -= share;
            left >= 0.0
        });
        chosen.count().min(last)
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
    let texts = match &options.prompts {
        Some(file) => reading::texts(file)?,
        None => texts(),
    };
    let runs = options.runs.max(1);
    let reading = reading::measure(&model, &texts, runs)?;
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
        reading,
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

/// How many interests an item has: 2.65 in the mean.
const INTERESTS: [f64; 5] = [0.2, 0.3, 0.25, 0.15, 0.1];

/// Languages of items and persons.
const LANGUAGES: [(&str, f64); 8] = [
    ("en", 0.5),
    ("es", 0.2),
    ("pt", 0.1),
    ("hi", 0.08),
    ("fr", 0.05),
    ("id", 0.04),
    ("de", 0.02),
    ("it", 0.01),
];

/// Where people are, evenly.
const REGIONS: [&str; 12] =
    ["US", "CA", "MX", "BR", "IN", "ID", "FR", "DE", "IT", "ES", "PT", "AU"];

/// An item of the inventory that is searched: 15 % in no language, 35 % in up to five regions
/// only, an eighth for friends only.
fn made_up(n: usize, numbers: &mut Numbers, leaves: usize) -> Result<Item> {
    let language = (numbers.share() >= 0.15).then(|| {
        let language = numbers.one_of(LANGUAGES.iter().map(|(_, share)| *share));
        LANGUAGES[language].0.to_owned()
    });
    let regions = if numbers.share() < 0.35 { 1 + numbers.next(5) } else { 0 };
    let regions = (0..regions).filter_map(|_| Region::new(REGIONS[numbers.next(12) as usize]));
    let regions = regions.collect();
    let count = 1 + numbers.one_of(INTERESTS.into_iter());
    let mut interests: Vec<(Interest, Weight)> = Vec::with_capacity(count);
    while interests.len() < count {
        let interest = numbers.interest(leaves);
        if interests.iter().all(|(other, _)| *other != interest) {
            interests.push((interest, Weight(200 + numbers.next(800) as u16)));
        }
    }
    // The mean of four: few items are very good or very bad.
    let quality = (0..4).map(|_| numbers.next(1000)).sum::<u64>() / 4;
    Ok(Item {
        id: format!("{n:08}"),
        surface: Surface::Groups,
        title: String::new(),
        language,
        regions,
        place: None,
        author: None,
        friends_only: numbers.next(8) == 0,
        quality: quality as u16,
        created: "2025-12-01T00:00:00Z".parse()?,
        campaign: None,
        interests,
    })
}

/// A person with 30 interests, a few of them far stronger than the rest.
fn someone(numbers: &mut Numbers, leaves: usize) -> Result<(Profile, Setting)> {
    let mut interests: BTreeMap<Interest, u64> = BTreeMap::new();
    let mut strength = 1.0;
    while interests.len() < 30 {
        let interest = numbers.interest(leaves);
        if let Entry::Vacant(place) = interests.entry(interest) {
            place.insert((strength * (0.7 + 0.6 * numbers.share()) * 3.0 * UNIT as f64) as u64);
            strength *= (-1.0f64 / 8.0).exp();
        }
    }
    let language = numbers.one_of(LANGUAGES.iter().map(|(_, share)| *share));
    let setting = Setting {
        now: "2026-01-15T00:00:00Z".parse()?,
        region: Region::new(REGIONS[numbers.next(12) as usize]),
        language: Some(LANGUAGES[language].0.to_owned()),
        ..Setting::default()
    };
    Ok((Profile::of(interests), setting))
}

/// What the index is to be better than: for each term its list of items, added up.
struct TermAtATime {
    lists: Vec<(Vec<u32>, Vec<u8>)>,
    facets: Vec<u32>,
    sums: Vec<u32>,
}

impl TermAtATime {
    fn of(entries: &[index::Entry], leaves: usize) -> Self {
        let mut lists = vec![(Vec::new(), Vec::new()); leaves];
        for entry in entries {
            for (interest, impact) in &entry.impacts {
                let (items, impacts) = &mut lists[usize::from(interest.0)];
                items.push(entry.item);
                impacts.push(*impact);
            }
        }
        let facets = entries.iter().map(|entry| entry.facets).collect();
        Self { lists, facets, sums: vec![0; entries.len()] }
    }

    fn search(
        &mut self,
        terms: &[Term],
        k: usize,
        needs: u32,
        accept: impl Fn(u32) -> bool,
    ) -> Vec<Hit> {
        self.sums.fill(0);
        for (interest, strength) in terms {
            let (items, impacts) = &self.lists[usize::from(interest.0)];
            for (item, impact) in items.iter().zip(impacts) {
                self.sums[*item as usize] += u32::from(*strength) * u32::from(*impact);
            }
        }
        let mut hits: Vec<Hit> = Vec::with_capacity(k + 1);
        for ((score, facets), item) in self.sums.iter().copied().zip(&self.facets).zip(0..) {
            let last = hits.last().map_or(0, |hit| hit.score);
            if score > 0
                && facets & needs == needs
                && (hits.len() < k || score > last)
                && accept(item)
            {
                hits.insert(hits.partition_point(|h| h.score >= score), Hit { score, item });
                hits.truncate(k);
            }
        }
        hits
    }
}

fn measure_slates(runs: usize, count: usize, leaves: usize) -> Result<Slates> {
    let mut numbers = Numbers(7);
    let items: Vec<Item> =
        (0..count).map(|n| made_up(n, &mut numbers, leaves)).collect::<Result<_>>()?;
    let people: Vec<(Profile, Setting)> =
        (0..300).map(|_| someone(&mut numbers, leaves)).collect::<Result<_>>()?;
    let entries: Vec<index::Entry> = (0..)
        .zip(&items)
        .map(|(n, i)| index::Entry { item: n, facets: facets(i), impacts: i.impacts().collect() })
        .collect();
    let built = Index::build(&entries, leaves);
    let mut rival = TermAtATime::of(&entries, leaves);
    let sample: Vec<u32> = entries.iter().map(|e| e.facets).step_by(1 + count / 10_000).collect();
    drop(entries);
    let mut shares = Vec::new();
    let mut times: [Vec<f64>; 3] = Default::default();
    for (profile, setting) in &people {
        let (terms, needs) = (terms(profile), needs(setting));
        let let_in = sample.iter().filter(|facets| **facets & needs == needs).count();
        shares.push(let_in as f64 / sample.len() as f64);
        let accept =
            |n: u32| items.get(n as usize).is_some_and(|item| exclusion(setting, item).is_none());
        let mut found = Vec::new();
        let mut ways: [&mut dyn FnMut() -> Vec<Hit>; 3] = [
            &mut || built.search(&terms, 20, needs, accept),
            &mut || rival.search(&terms, 20, needs, accept),
            &mut || built.scan(&terms, 20, needs, accept),
        ];
        for (way, times) in ways.iter_mut().zip(&mut times) {
            // The median of the runs, profile by profile: others work on this machine too.
            let one = (0..runs).map(|_| {
                let began = Instant::now();
                found.push(std::hint::black_box(way()));
                began.elapsed().as_secs_f64() * 1e6
            });
            times.push(median(one.collect()));
        }
        anyhow::ensure!(found.windows(2).all(|two| two[0] == two[1]), "the index is not exact");
    }
    let [(index_p50, index_p99), (terms_p50, terms_p99), (scan_p50, _)] = times.map(percentiles);
    let bytes_per_item = built.bytes() as f64 / count as f64;
    drop((built, rival));
    let inventory = Inventory::build(items, leaves);
    let per_second = rate(runs, people.len(), || {
        for (profile, setting) in &people {
            std::hint::black_box(rank(&inventory, Surface::Groups, 20, setting, profile));
        }
        Ok(())
    })?;
    let come: Vec<Vec<Item>> = (0..runs)
        .map(|_| (0..100).map(|n| made_up(count / 2 + n, &mut numbers, leaves)).collect())
        .collect::<Result<_>>()?;
    let mut seconds = Vec::new();
    for come in come {
        let began = Instant::now();
        std::hint::black_box(inventory.with(come, &BTreeSet::new()));
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(Slates {
        items: count,
        per_second,
        let_in: median(shares),
        index_p50,
        index_p99,
        terms_p50,
        terms_p99,
        scan_p50,
        ratio: scan_p50.min(terms_p50) / index_p50,
        bytes_per_item,
        hundred_more_seconds: median(seconds),
    })
}

fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values.get(values.len() * share / 100).copied().unwrap_or(0.0);
    (at(50), at(99))
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
        write!(f, "{}", self.reading)?;
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
                "  index, p50 / p99              {:>9.0} / {:.0} us  (20 hits, 30 interests, {:.0} % of the items let in)",
                slates.index_p50,
                slates.index_p99,
                slates.let_in * 100.0
            )?;
            writeln!(
                f,
                "  rival: term by term, p50      {:>9.0} / {:.0} us",
                slates.terms_p50, slates.terms_p99
            )?;
            writeln!(
                f,
                "  rival: full scan, p50         {:>12.0} us  (the faster: {:.1} times slower)",
                slates.scan_p50, slates.ratio
            )?;
            writeln!(
                f,
                "  a hundred items more take     {:>12.1} ms",
                slates.hundred_more_seconds * 1e3
            )?;
            writeln!(f, "  bytes an item in the index    {:>12.0}", slates.bytes_per_item)?;
        }
        writeln!(f, "peak memory                     {:>12.0} MB", self.peak_bytes as f64 / 1e6)
    }
}
