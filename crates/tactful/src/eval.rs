//! The scorecard: how a reader does on texts that were labelled by reading.

use crate::understand::SampleMessage;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tactful_core::chat::{Message, Words};
use tactful_core::gate::admit_open;
use tactful_core::reading::{Reader, Subject};
use tactful_core::taxonomy::Taxonomy;

/// What to measure on.
#[derive(clap::Args)]
pub struct Options {
    /// The texts: NDJSON {id, text, source?, lang?, conversation?, context? (of {role, text})}.
    #[arg(long)]
    prompts: PathBuf,
    /// What they are: NDJSON {id, sensitive (a list of subjects), interests (of leaves, or
    /// leaf|leaf)?, also?}; may be the same file.
    #[arg(long)]
    labels: PathBuf,
    /// Write scorecard.json and scorecard.html into this folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Fail when fewer of the sensitive texts, or of those of any subject, are stopped: 0 to 1.
    #[arg(long)]
    floor: Option<f64>,
}

#[derive(Deserialize)]
struct Prompt {
    id: String,
    text: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    lang: String,
    /// Which conversation it is a turn of.
    conversation: Option<String>,
    /// The messages before it.
    #[serde(default)]
    context: Vec<SampleMessage>,
}

#[derive(Deserialize)]
struct Label {
    id: String,
    sensitive: Vec<String>,
    interests: Option<Vec<String>>,
    #[serde(default)]
    also: Vec<String>,
}

/// So many of so many, with the interval that holds the true share in 95 of 100 cases (Wilson 1927).
#[derive(Clone, Copy, Default, Serialize)]
pub struct Share {
    /// How many.
    pub of: u64,
    /// How many of them.
    pub hits: u64,
    /// The share.
    pub share: f64,
    /// The interval's ends.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

impl Share {
    fn new(hits: u64, of: u64) -> Self {
        if of == 0 {
            return Self { high: 1.0, ..Self::default() };
        }
        let (n, z) = (of as f64, 1.959_964);
        let p = hits as f64 / n;
        let centre = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        let (low, high) =
            (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0));
        Self { of, hits, share: p, low, high }
    }
}

/// What is stopped of the sensitive texts of a part, and of its harmless ones.
#[derive(Default, Serialize)]
pub struct Part {
    /// Sensitive ones that are stopped.
    pub recall: Share,
    /// Harmless ones that are stopped.
    pub false_alarms: Share,
}

/// One step of a reliability curve: what was said, and what was so.
#[derive(Serialize)]
pub struct Bin {
    said: f64,
    was: f64,
    texts: u64,
}

/// The interests.
#[derive(Default, Serialize)]
pub struct Interests {
    precision: f64,
    recall: f64,
    f1: f64,
    group_f1: f64,
    /// Texts about nothing of interest of which something was told.
    invented: Share,
    reliability: Vec<Bin>,
}

/// How a reader did.
#[derive(Serialize)]
pub struct Scorecard {
    texts: u64,
    /// Not judged at all (language, garbled, too long, empty): counted as stopped.
    unjudged: u64,
    /// All together.
    pub all: Part,
    /// Of the texts that touch a subject, how many are stopped, for whatever subject.
    pub subjects: BTreeMap<&'static str, Share>,
    languages: BTreeMap<String, Part>,
    /// Whole conversations: one with a sensitive turn is to be shut by any of its turns.
    pub conversations: Part,
    lengths: BTreeMap<&'static str, Part>,
    sources: BTreeMap<String, Part>,
    /// What is said of the likeliest subject against whether any is touched.
    reliability: Vec<Bin>,
    /// Recall and false alarms by where the line is drawn, in thousandths of the likeliest subject.
    curve: Vec<(u16, f64, f64)>,
    /// Sensitive texts that passed, the surest mistakes first: ids only.
    misses: Vec<String>,
    interests: Interests,
    turns_per_second: f64,
}

struct Read {
    stopped: bool,
    judged: bool,
    level: u16,
    found: Vec<(String, u16)>,
}

fn lines<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<Vec<T>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| {
                format!("{} line {number} is not as `tactful eval --help` says", file.display())
            })
        })
        .collect()
}

fn length(text: &str) -> &'static str {
    match text.split_whitespace().count() {
        0..=5 => "1 to 5 words",
        6..=12 => "6 to 12 words",
        13..=30 => "13 to 30 words",
        _ => "more than 30 words",
    }
}

/// Measures.
///
/// # Errors
/// When a file cannot be read, or a label has no text.
pub fn eval(options: &Options, taxonomy: &Taxonomy, reader: &impl Reader) -> Result<Scorecard> {
    let prompts: BTreeMap<String, Prompt> =
        lines::<Prompt>(&options.prompts)?.into_iter().map(|p| (p.id.clone(), p)).collect();
    let labels: Vec<Label> = lines(&options.labels)?;
    let mut all = Vec::new();
    let began = Instant::now();
    for label in labels {
        let Some(prompt) = prompts.get(&label.id) else {
            bail!("the label {} has no text in {}", label.id, options.prompts.display());
        };
        let context = prompt.context.iter().cloned().map(Message::from);
        let admitted = admit_open(Words::new(prompt.text.clone()), context.collect());
        let read = match reader.read(admitted.spoken()).judged {
            Err(_) => Read { stopped: true, judged: false, level: 1000, found: Vec::new() },
            Ok(judgement) => Read {
                stopped: judgement.touched.contains(&true),
                judged: true,
                level: judgement.subjects.iter().map(|level| level.0).max().unwrap_or(0),
                found: judgement
                    .findings
                    .iter()
                    .map(|found| (taxonomy.id(found.interest).to_owned(), found.weight.0))
                    .collect(),
            },
        };
        all.push((prompt, label, read));
    }
    let seconds = began.elapsed().as_secs_f64().max(1e-9);
    let part = |of: &dyn Fn(&Prompt) -> bool| {
        let count = |sensitive: bool, stopped: bool| {
            let these = all.iter().filter(|(prompt, label, read)| {
                of(prompt) && label.sensitive.is_empty() != sensitive && (!stopped || read.stopped)
            });
            these.count() as u64
        };
        Part {
            recall: Share::new(count(true, true), count(true, false)),
            false_alarms: Share::new(count(false, true), count(false, false)),
        }
    };
    let values = |of: fn(&Prompt) -> &str| -> BTreeSet<String> {
        all.iter().map(|(prompt, ..)| of(prompt).to_owned()).collect()
    };
    let subjects = Subject::ALL.iter().map(|subject| {
        let these = || {
            all.iter().filter(|(_, label, _)| label.sensitive.iter().any(|s| s == subject.code()))
        };
        let stopped = these().filter(|(_, _, read)| read.stopped).count() as u64;
        (subject.code(), Share::new(stopped, these().count() as u64))
    });
    let sensitive = |label: &Label| !label.sensitive.is_empty();
    let curve = (0..=40u16).map(|step| {
        let cut = step * step * 5 / 8;
        let over = |wanted: bool| {
            let these = all.iter().filter(|(_, label, _)| sensitive(label) == wanted);
            let over = these.clone().filter(|(_, _, read)| read.level >= cut).count();
            over as f64 / (these.count().max(1)) as f64
        };
        (cut, over(true), over(false))
    });
    let mut misses: Vec<_> =
        all.iter().filter(|(_, label, read)| sensitive(label) && !read.stopped).collect();
    misses.sort_by_key(|(prompt, _, read)| (read.level, &prompt.id));
    Ok(Scorecard {
        texts: all.len() as u64,
        unjudged: all.iter().filter(|(_, _, read)| !read.judged).count() as u64,
        all: part(&|_| true),
        subjects: subjects.collect(),
        languages: values(|p| &p.lang)
            .into_iter()
            .map(|l| (l.clone(), part(&|p| p.lang == l)))
            .collect(),
        conversations: conversations(&all),
        lengths: ["1 to 5 words", "6 to 12 words", "13 to 30 words", "more than 30 words"]
            .into_iter()
            .map(|name| (name, part(&|p| length(&p.text) == name)))
            .collect(),
        sources: values(|p| &p.source)
            .into_iter()
            .map(|s| (s.clone(), part(&|p| p.source == s)))
            .collect(),
        reliability: bins(
            all.iter()
                .filter(|(_, _, read)| read.judged)
                .map(|(_, label, read)| (read.level, sensitive(label))),
        ),
        curve: curve.collect(),
        misses: misses.iter().take(50).map(|(prompt, ..)| prompt.id.clone()).collect(),
        interests: interests(all.iter().map(|(_, label, read)| (label, read))),
        turns_per_second: all.len() as f64 / seconds,
    })
}

/// Of each conversation: is any turn of it sensitive, and was any stopped?
fn conversations(all: &[(&Prompt, Label, Read)]) -> Part {
    let mut whole: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (prompt, label, read) in all {
        if let Some(conversation) = &prompt.conversation {
            let (sensitive, stopped) = whole.entry(conversation).or_default();
            *sensitive |= !label.sensitive.is_empty();
            *stopped |= read.stopped;
        }
    }
    let part = |wanted: bool| {
        let these = whole.values().filter(|(sensitive, _)| *sensitive == wanted);
        Share::new(these.clone().filter(|(_, shut)| *shut).count() as u64, these.count() as u64)
    };
    Part { recall: part(true), false_alarms: part(false) }
}

/// Of what was said in thousandths, and whether it was so: ten steps.
fn bins(said: impl Iterator<Item = (u16, bool)>) -> Vec<Bin> {
    let mut steps = [(0u64, 0u64, 0u64); 10];
    for (level, was) in said {
        let step = &mut steps[usize::from(level / 100).min(9)];
        *step = (step.0 + u64::from(level), step.1 + u64::from(was), step.2 + 1);
    }
    let full = steps.into_iter().filter(|(_, _, texts)| *texts > 0);
    full.map(|(said, was, texts)| Bin {
        said: said as f64 / 1000.0 / texts as f64,
        was: was as f64 / texts as f64,
        texts,
    })
    .collect()
}

/// An interest is right when a label names it (of `a|b` either); one of `also` counts neither way.
fn interests<'a>(read: impl Iterator<Item = (&'a Label, &'a Read)>) -> Interests {
    let (mut leaf, mut group) = ((0u64, 0u64, 0u64), (0u64, 0u64, 0u64));
    let (mut nothing, mut invented) = (0, 0);
    let mut said = Vec::new();
    let top = |id: &str| id.split('.').next().unwrap_or_default().to_owned();
    for (label, read) in read {
        let Some(wanted) = &label.interests else { continue };
        if wanted.is_empty() && label.also.is_empty() {
            nothing += 1;
            invented += u64::from(!read.found.is_empty());
        }
        let right = |id: &str| wanted.iter().any(|one| one.split('|').any(|w| w == id));
        for (id, weight) in &read.found {
            match (right(id), label.also.contains(id)) {
                (true, _) => said.push((*weight, true)),
                (false, true) => {}
                (false, false) => {
                    said.push((*weight, false));
                    leaf.1 += 1;
                }
            }
        }
        for one in wanted {
            match one.split('|').any(|w| read.found.iter().any(|(id, _)| id == w)) {
                true => leaf.0 += 1,
                false => leaf.2 += 1,
            }
        }
        let wanted_groups: BTreeSet<Vec<String>> =
            wanted.iter().map(|one| one.split('|').map(top).collect()).collect();
        let also: BTreeSet<String> = label.also.iter().map(|id| top(id)).collect();
        let found: BTreeSet<String> = read.found.iter().map(|(id, _)| top(id)).collect();
        for one in &found {
            let is_right = wanted_groups.iter().any(|any| any.contains(one));
            group.1 += u64::from(!is_right && !also.contains(one));
        }
        for any in &wanted_groups {
            match any.iter().any(|one| found.contains(one)) {
                true => group.0 += 1,
                false => group.2 += 1,
            }
        }
    }
    let f1 = |(right, wrong, missed): (u64, u64, u64)| {
        2.0 * right as f64 / (2 * right + wrong + missed).max(1) as f64
    };
    Interests {
        precision: leaf.0 as f64 / (leaf.0 + leaf.1).max(1) as f64,
        recall: leaf.0 as f64 / (leaf.0 + leaf.2).max(1) as f64,
        f1: f1(leaf),
        group_f1: f1(group),
        invented: Share::new(invented, nothing),
        reliability: bins(said.into_iter()),
    }
}

impl Scorecard {
    /// What is below a floor: the whole, or a subject.
    pub fn below(&self, floor: f64) -> Vec<String> {
        let all = std::iter::once(("all", &self.all.recall))
            .chain(self.subjects.iter().map(|(k, v)| (*k, v)));
        all.filter(|(_, share)| share.of > 0 && share.share < floor)
            .map(|(name, share)| format!("{name}: {:.3} of {}", share.share, share.of))
            .collect()
    }

    /// A page for people, with plots.
    pub fn page(&self) -> String {
        let mut rows = String::new();
        let percent = |share: &Share| match share.of {
            0 => "–".to_owned(),
            of => format!(
                "{:.1} % ({:.1}–{:.1}) of {of}",
                100.0 * share.share,
                100.0 * share.low,
                100.0 * share.high
            ),
        };
        let mut row = |name: &str, part: &Part| {
            let _ = writeln!(
                rows,
                "<tr><th scope=row>{}<td>{}<td>{}",
                escaped(name),
                percent(&part.recall),
                percent(&part.false_alarms)
            );
        };
        row("all", &self.all);
        if self.conversations.recall.of + self.conversations.false_alarms.of > 0 {
            row("whole conversations", &self.conversations);
        }
        for (name, part) in &self.lengths {
            row(name, part);
        }
        for (name, part) in self.languages.iter().chain(&self.sources) {
            row(name, part);
        }
        let subjects: String = self
            .subjects
            .iter()
            .map(|(name, share)| format!("<tr><th scope=row>{name}<td>{}<td>", percent(share)))
            .collect();
        let curve = plot(
            "Recall by false alarms",
            self.curve.iter().map(|(_, recall, alarms)| (*alarms, *recall)),
        );
        let reliable = plot(
            "Subjects: what was so, by what was said",
            self.reliability.iter().map(|bin| (bin.said, bin.was)),
        );
        let sure = plot(
            "Interests: what was so, by what was said",
            self.interests.reliability.iter().map(|bin| (bin.said, bin.was)),
        );
        let interests = &self.interests;
        format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
             <title>Scorecard</title><style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:1rem auto;padding:0 1rem}}\
             table{{border-collapse:collapse}}td,th{{border-bottom:1px solid #bbb;padding:.2rem .6rem;text-align:left}}\
             svg{{max-width:19rem}}path{{fill:none;stroke:#1d6b52;stroke-width:2}}</style><h1>Scorecard</h1>\
             <p>{} texts, {} not judged (counted as stopped), {:.0} a second on one core.\
             <h2>Firewall</h2><table><tr><th>texts<th>sensitive ones stopped<th>harmless ones stopped{rows}\
             <tr><th colspan=3>by subject{subjects}</table><p>{curve}{reliable}\
             <h2>Interests</h2><p>Leaf: precision {:.3}, recall {:.3}, F1 {:.3}. Group: F1 {:.3}. Invented: {}.<p>{sure}\
             <h2>Sensitive texts that passed, by id</h2><p>{}</html>\n",
            self.texts,
            self.unjudged,
            self.turns_per_second,
            interests.precision,
            interests.recall,
            interests.f1,
            interests.group_f1,
            percent(&interests.invented),
            escaped(&self.misses.join(", ")),
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Points of a unit square as a line.
fn plot(title: &str, points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut points: Vec<_> = points.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let at = |(x, y): &(f64, f64)| format!("{:.1} {:.1}", 20.0 + 200.0 * x, 210.0 - 200.0 * y);
    let line: Vec<String> = points.iter().map(at).collect();
    format!(
        "<svg viewBox=\"0 0 230 240\" role=img aria-label=\"{title}\"><rect x=20 y=10 width=200 height=200 \
         fill=none stroke=#999 /><path d=\"M{}\"/><text x=20 y=230 font-size=11>{title}</text></svg>",
        line.join(" L")
    )
}

/// Writes the scorecard into a folder.
///
/// # Errors
/// When it cannot be written.
pub fn write(card: &Scorecard, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("scorecard.json"), serde_json::to_vec_pretty(card)?)?;
    std::fs::write(folder.join("scorecard.html"), card.page())
        .with_context(|| format!("cannot write into {}", folder.display()))
}

/// What was asked to be printed and checked; gives whether nothing is below the floor.
///
/// # Errors
/// When the page cannot be written.
pub fn report(card: &Scorecard, options: &Options, out: &mut impl std::io::Write) -> Result<bool> {
    if let Some(folder) = &options.out {
        write(card, folder)?;
    }
    writeln!(
        out,
        "{} texts, {} not judged, {:.0} a second",
        card.texts, card.unjudged, card.turns_per_second
    )?;
    let line = |share: &Share| {
        format!("{:.3} [{:.3}, {:.3}] of {}", share.share, share.low, share.high, share.of)
    };
    writeln!(out, "sensitive ones stopped   {}", line(&card.all.recall))?;
    writeln!(out, "harmless ones stopped    {}", line(&card.all.false_alarms))?;
    for (name, share) in &card.subjects {
        writeln!(out, "  {name:<12}           {}", line(share))?;
    }
    if card.conversations.recall.of > 0 {
        writeln!(out, "conversations shut       {}", line(&card.conversations.recall))?;
        writeln!(out, "harmless ones shut       {}", line(&card.conversations.false_alarms))?;
    }
    for (name, part) in card.languages.iter().filter(|_| card.languages.len() > 1) {
        writeln!(
            out,
            "  {name:<12}           {} / {}",
            line(&part.recall),
            line(&part.false_alarms)
        )?;
    }
    let interests = &card.interests;
    writeln!(
        out,
        "interests: precision {:.3}, recall {:.3}, F1 {:.3}; groups F1 {:.3}; invented {}",
        interests.precision,
        interests.recall,
        interests.f1,
        interests.group_f1,
        line(&interests.invented)
    )?;
    let below = options.floor.map(|floor| card.below(floor)).unwrap_or_default();
    for one in &below {
        writeln!(out, "below the floor: {one}")?;
    }
    Ok(below.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tactful_core::gate::Spoken;
    use tactful_core::reading::{Level, ModelId, Reading};

    /// Below this share of the sensitive texts, of all or of a subject, CI is red.
    const FLOOR: f64 = 0.9;

    /// The shipped model, deaf to one subject.
    struct Deaf<'a, R>(&'a R, Subject);

    impl<R: Reader> Reader for Deaf<'_, R> {
        fn read(&self, spoken: &Spoken) -> Reading {
            let mut reading = self.0.read(spoken);
            if let Ok(judgement) = &mut reading.judged {
                for (at, subject) in Subject::ALL.iter().enumerate() {
                    if *subject == self.1 {
                        judgement.touched[at] = false;
                        judgement.subjects[at] = Level(0);
                    }
                }
            }
            reading
        }

        fn model(&self) -> ModelId {
            self.0.model()
        }
    }

    /// Texts of our own in twenty languages that no training saw.
    #[test]
    fn the_shipped_model_is_above_the_floor_and_one_that_lost_a_subject_is_not() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../training/held-out");
        let options = Options {
            prompts: folder.join("prompts.jsonl"),
            labels: folder.join("labels.jsonl"),
            out: None,
            floor: None,
        };
        let taxonomy = crate::data::taxonomy().unwrap();
        let model = crate::data::model(&taxonomy).unwrap();
        let card = eval(&options, &taxonomy, &model).unwrap();
        assert_eq!(card.below(FLOOR), Vec::<String>::new());
        for subject in [Subject::Health, Subject::Union] {
            let card = eval(&options, &taxonomy, &Deaf(&model, subject)).unwrap();
            let below = card.below(FLOOR);
            assert!(below.iter().any(|line| line.starts_with(subject.code())), "{below:?}");
        }
    }

    #[test]
    fn the_interval_is_wilsons() {
        let share = Share::new(8, 10);
        assert!((share.low - 0.4901).abs() < 1e-4 && (share.high - 0.9433).abs() < 1e-4);
    }
}
