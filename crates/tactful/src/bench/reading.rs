//! The reader alone, on one core: the texts that the fast path decides, those that it is in doubt
//! about, and all in the mix in which they come.

use super::rate;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::time::Instant;
use tactful_core::chat::Words;
use tactful_core::gate::admit_open;
use tactful_core::reading::Reader;
use tactful_reader::Model;

/// Texts that are read in one run, at least.
const TEXTS_A_RUN: usize = 20_000;

/// Of the doubtful texts, which cost more: so many a run.
const DOUBTFUL_A_RUN: usize = 1_000;

/// What was measured.
#[derive(Serialize)]
pub struct Measured {
    /// Different texts.
    texts: usize,
    /// Tokens a text, on the fast path.
    tokens_a_text: f64,
    /// The share that is also judged by the encoder.
    doubtful: f64,
    /// Texts a second, firewall and interests together: all, those that the fast path decides, and
    /// the doubtful.
    pub all_per_second: f64,
    fast_per_second: f64,
    doubtful_per_second: f64,
    /// The floor: only the fast path's tokens.
    tokenised_per_second: f64,
    /// Microseconds of one text that the fast path decides: the median and the 99th of a hundred.
    fast_p50: f64,
    fast_p99: f64,
    /// And of a doubtful one.
    doubtful_p50: f64,
    doubtful_p99: f64,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
}

/// The texts of a file: NDJSON {text}.
///
/// # Errors
/// When it cannot be read, or a line is not of that form.
pub fn texts(file: &Path) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    (1..)
        .zip(text.lines())
        .map(|(number, line)| {
            let prompt: Prompt = serde_json::from_str(line)
                .with_context(|| format!("{} line {number}: expected {{text}}", file.display()))?;
            Ok(prompt.text)
        })
        .collect()
}

/// Measures on one thread.
///
/// # Errors
/// Never; the signature is that of the other measurements.
pub fn measure(model: &Model, texts: &[String], runs: usize) -> Result<Measured> {
    let read = |text: &String| {
        model.forget();
        let admitted = admit_open(Words::new(text.clone()), Vec::new());
        std::hint::black_box(model.read(admitted.spoken()));
    };
    let doubtful: Vec<&String> = texts.iter().filter(|text| model.is_doubtful(text)).collect();
    let fast: Vec<&String> = texts.iter().filter(|text| model.is_clear(text)).collect();
    let all: Vec<&String> = texts.iter().collect();
    let speed = |texts: &[&String], count: usize| match texts.is_empty() {
        true => Ok(0.0),
        false => rate(runs, count, || {
            texts.iter().cycle().take(count).for_each(|text| read(text));
            Ok(())
        }),
    };
    // Each text by itself, several times; the median of its runs, so that what else the machine
    // does counts less.
    let each = |texts: &[&String]| {
        let mut times: Vec<f64> = texts
            .iter()
            .take(2_000)
            .map(|text| {
                let once = || {
                    let began = Instant::now();
                    read(text);
                    began.elapsed().as_secs_f64() * 1e6
                };
                super::median((0..5).map(|_| once()).collect())
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0.0);
        (at(50), at(99))
    };
    let (fast_p50, fast_p99) = each(&fast);
    let (doubtful_p50, doubtful_p99) = each(&doubtful);
    let tokens: usize = texts.iter().map(|text| model.tokens(text).len()).sum();
    Ok(Measured {
        texts: texts.len(),
        tokens_a_text: tokens as f64 / texts.len().max(1) as f64,
        doubtful: doubtful.len() as f64 / texts.len().max(1) as f64,
        all_per_second: speed(&all, TEXTS_A_RUN.min(10 * texts.len()))?,
        fast_per_second: speed(&fast, TEXTS_A_RUN)?,
        doubtful_per_second: speed(&doubtful, DOUBTFUL_A_RUN)?,
        tokenised_per_second: rate(runs, TEXTS_A_RUN, || {
            for text in texts.iter().cycle().take(TEXTS_A_RUN) {
                std::hint::black_box(model.tokens(text));
            }
            Ok(())
        })?,
        fast_p50,
        fast_p99,
        doubtful_p50,
        doubtful_p99,
    })
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "turns understood a second       {:>12.0}  (one core; {} texts of {:.0} tokens, {:.0} % doubtful)",
            self.all_per_second,
            self.texts,
            self.tokens_a_text,
            100.0 * self.doubtful
        )?;
        writeln!(
            f,
            "  by the fast path alone        {:>12.0}  (p50 / p99 {:.1} / {:.1} us)",
            self.fast_per_second, self.fast_p50, self.fast_p99
        )?;
        writeln!(
            f,
            "  doubtful ones                 {:>12.0}  (p50 / p99 {:.0} / {:.0} us)",
            self.doubtful_per_second, self.doubtful_p50, self.doubtful_p99
        )?;
        writeln!(f, "  floor: tokenised only         {:>12.0}", self.tokenised_per_second)
    }
}
