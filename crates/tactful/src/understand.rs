//! `tactful understand`: what the model makes of texts, one JSON object in, one out, in order.

use crate::lines::{LONGEST_LINE, Lines, open};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tactful_core::chat::{Message, Role, Words};
use tactful_core::firewall::Stop;
use tactful_core::gate;
use tactful_core::reading::{Reader, Subject, Unjudged};
use tactful_core::taxonomy::Taxonomy;

#[derive(Deserialize)]
struct Sample {
    id: serde_json::Value,
    text: String,
    #[serde(default)]
    context: Vec<SampleMessage>,
}

/// A message of a context, as samples have it.
#[derive(Clone, Deserialize)]
pub struct SampleMessage {
    role: String,
    text: String,
}

impl From<SampleMessage> for Message {
    fn from(message: SampleMessage) -> Self {
        let role = if message.role == "user" { Role::User } else { Role::Assistant };
        Self { role, words: Words::new(message.text) }
    }
}

#[derive(Serialize)]
struct Understood<'a> {
    id: serde_json::Value,
    language: Option<&'a str>,
    used: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    subjects: BTreeMap<&'static str, f64>,
    interests: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    id: &'a str,
    weight: f64,
    stage: &'static str,
}

/// Reads samples from a file (`-`: standard input) and writes what was understood. Gives the
/// number of lines that did not fit; they are reported on standard error.
///
/// # Errors
/// When the file cannot be read or the output cannot be written.
pub fn understand(
    file: &Path,
    taxonomy: &Taxonomy,
    reader: &impl Reader,
    out: &mut impl Write,
) -> Result<u64> {
    let source = open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (mut lines, mut troubles) = (Lines::new(source), 0);
    while let Some(chunk) = lines.next_chunk()? {
        for (number, line) in (chunk.first_line..).zip(chunk.bytes.split(|b| *b == b'\n')) {
            let too_long = chunk.too_long.contains(&number) || line.len() > LONGEST_LINE;
            if line.trim_ascii().is_empty() && !too_long {
                continue;
            }
            match serde_json::from_slice::<Sample>(line) {
                Ok(sample) if !too_long => {
                    serde_json::to_writer(&mut *out, &one(sample, taxonomy, reader))?;
                    out.write_all(b"\n")?;
                }
                _ => {
                    troubles += 1;
                    let expected = "expected {id, text, context?} in at most 1 MiB";
                    eprintln!("line {number}: {expected}");
                }
            }
        }
    }
    Ok(troubles)
}

fn one<'a>(sample: Sample, taxonomy: &'a Taxonomy, reader: &impl Reader) -> Understood<'a> {
    let context = sample.context.into_iter().map(Message::from).collect();
    let admitted = gate::admit_open(Words::new(sample.text), context);
    let reading = reader.read(admitted.spoken());
    let language = reading.language.map(|code| match &code {
        b"en" => "en",
        other => LANGUAGES.iter().find(|name| name.as_bytes() == other).copied().unwrap_or("und"),
    });
    let (reason, subjects, interests) = match reading.judged {
        Err(unjudged) => (Some(stop(unjudged)), BTreeMap::new(), Vec::new()),
        Ok(judgement) => {
            let subjects = Subject::ALL
                .iter()
                .zip(judgement.subjects)
                .map(|(subject, level)| (subject.code(), f64::from(level.0) / 1000.0))
                .collect();
            let interests = judgement
                .findings
                .iter()
                .map(|found| Found {
                    id: taxonomy.id(found.interest),
                    weight: f64::from(found.weight.0) / 1000.0,
                    stage: found.stage.as_str(),
                })
                .collect();
            let stopped = judgement.touched.contains(&true).then_some(Stop::Sensitive.code());
            (stopped, subjects, interests)
        }
    };
    Understood { id: sample.id, language, used: reason.is_none(), reason, subjects, interests }
}

const LANGUAGES: [&str; 19] = [
    "es", "pt", "fr", "de", "it", "nl", "pl", "ru", "uk", "tr", "ar", "hi", "id", "vi", "th", "zh",
    "ja", "ko", "sv",
];

fn stop(unjudged: Unjudged) -> &'static str {
    match unjudged {
        Unjudged::Empty => Stop::Empty.code(),
        Unjudged::Language => Stop::Language.code(),
        Unjudged::Garbled => Stop::Garbled.code(),
        Unjudged::TooLong => Stop::TooLong.code(),
    }
}
