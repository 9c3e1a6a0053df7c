//! `tactful`: what people ask an assistant, as a short list of interests, and the interests as
//! better ads, posts, reels and groups.

mod audit;
mod backup;
mod bench;
mod convert;
mod data;
mod eval;
mod events;
#[cfg(test)]
mod fuzzed;
mod identity;
mod ingest;
mod items;
#[cfg(test)]
mod laws;
mod lines;
mod notices;
mod segments;
mod serve;
mod show;
mod simulate;
mod tour;
mod understand;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::Data;
use identity::Account;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tactful_core::chat::Tag;
use tactful_core::ranking::item::Surface;
use tactful_core::ranking::place::Place;
use tactful_store::inventory::Shown;

/// Interests from chats with an assistant, and what they may be used for.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Walk through the bundled example: what was used and why not, profiles, slates with reasons.
    Tour,
    /// Take in logs (NDJSON, one event a line; gzip is recognised).
    Ingest {
        /// The logs. All are read for what is known of the accounts before any turn is judged.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The policy that is in force from now on.
        #[arg(long)]
        policy: PathBuf,
        /// Items of the inventory (NDJSON), taken in before the logs.
        #[arg(long)]
        items: Option<PathBuf>,
        /// Stop at the first line that does not fit; what came before it is kept.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        place: DataArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Show what a model makes of texts: NDJSON {id, text, context?} in, NDJSON out, in order.
    Understand {
        /// The samples; standard input unless it is said.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Measure the model on labelled texts, and write the scorecard.
    Eval {
        #[command(flatten)]
        options: eval::Options,
        #[command(flatten)]
        output: Output,
    },
    /// Show the interests of a person.
    Profile {
        /// An account of the person, such as whatsapp:4411.
        #[arg(required_unless_present = "all")]
        account: Option<Account>,
        /// Everyone, one JSON object a line.
        #[arg(long, conflicts_with = "account")]
        all: bool,
        /// The instant (RFC 3339); now, unless it is said.
        #[arg(long)]
        at: Option<Timestamp>,
        /// Look with this policy instead of the one in force.
        #[arg(long)]
        policy: Option<PathBuf>,
        #[command(flatten)]
        place: DataArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Show what a person would be shown, and why.
    Recommend {
        /// The account that asks, such as whatsapp:4411.
        account: Account,
        /// The part of the feed.
        #[arg(long)]
        surface: SurfaceName,
        /// How many.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=200))]
        k: u16,
        /// The instant (RFC 3339); now, unless it is said.
        #[arg(long)]
        at: Option<Timestamp>,
        /// Where the person is: LAT,LON in degrees. Used for this answer and not kept.
        #[arg(long, value_parser = items::parse_place, allow_hyphen_values = true)]
        place: Option<Place>,
        /// The person's friends, as items name their authors. Used for this answer and not kept.
        #[arg(long, value_delimiter = ',')]
        friends: Vec<String>,
        /// Record the slate as shown: frequency caps and budgets count it.
        #[arg(long)]
        record: bool,
        /// Look with this policy instead of the one in force.
        #[arg(long)]
        policy: Option<PathBuf>,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Serve the API, the proxy and the pages.
    Serve {
        #[command(flatten)]
        options: serve::Options,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Make, list and revoke the keys of the API.
    Keys {
        #[command(subcommand)]
        what: KeysCommand,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Look at policies.
    Policy {
        #[command(subcommand)]
        what: PolicyCommand,
    },
    /// Take out what has expired under the policy in force.
    Sweep {
        /// The instant (RFC 3339); now, unless it is said.
        #[arg(long)]
        at: Option<Timestamp>,
        #[command(flatten)]
        place: DataArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Ask of every row that is held whether it stands under the policy in force.
    Audit {
        /// The instant (RFC 3339); now, unless it is said.
        #[arg(long)]
        at: Option<Timestamp>,
        /// Ask with this policy instead of the one in force.
        #[arg(long)]
        policy: Option<PathBuf>,
        #[command(flatten)]
        place: DataArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Copy the data into a folder, while the server runs. The key is no part of it.
    Backup {
        /// The folder.
        to: PathBuf,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Put a backup into a data folder that holds none.
    Restore {
        /// The folder of the backup.
        from: PathBuf,
        /// The folder that held the data until now: what people deleted and chose there since the
        /// backup holds again.
        #[arg(long, value_name = "FOLDER")]
        deleted_in: Option<PathBuf>,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Turn conversations {id, turns [{role, text}], kind} into a log of events.
    Convert {
        /// The conversations (NDJSON; gzip is recognised).
        file: PathBuf,
        /// Where to write the log; standard output unless it is said.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// An empty handler, for `bench --server` to measure against.
    #[command(hide = true)]
    Floor,
    /// Measure this build on this machine.
    Bench {
        #[command(flatten)]
        options: bench::Options,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Say in words what a policy file means, or where it is wrong.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Say what another policy would have changed: over logs, or over the rows that are held.
    Simulate {
        /// The other policy.
        #[arg(long)]
        with: PathBuf,
        /// Logs to take in under both, into folders that are thrown away.
        logs: Vec<PathBuf>,
        /// The instant of the profiles (RFC 3339); now, unless it is said.
        #[arg(long)]
        at: Option<Timestamp>,
        /// Compare with this policy instead of the one in force.
        #[arg(long)]
        policy: Option<PathBuf>,
        #[command(flatten)]
        place: DataArgs,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a key and print it: it is not shown again.
    Add {
        /// A name for it.
        name: String,
        /// What it may be used for.
        #[arg(long, value_enum, value_delimiter = ',', required = true)]
        scopes: Vec<serve::access::Scope>,
        /// With the scope advertiser alone: whose items and campaigns, and no other's.
        #[arg(long)]
        advertiser: Option<String>,
    },
    /// List the keys by name.
    List,
    /// Take a key away.
    Revoke {
        /// Its name.
        name: String,
    },
}

#[derive(Args)]
struct DataArgs {
    /// The folder of the data.
    #[arg(long = "data", default_value = "data")]
    folder: PathBuf,
    /// The key that makes tags; `tactful.key` beside the folder, unless it is said.
    #[arg(long)]
    key: Option<PathBuf>,
    /// A PostgreSQL database (postgres://…) instead of the file in the folder.
    #[arg(long)]
    database: Option<String>,
}

impl DataArgs {
    fn open(&self, may_make: bool) -> Result<Data> {
        Data::open(&self.folder, self.key.as_deref(), self.database.as_deref(), may_make)
    }
}

#[derive(Args)]
struct Output {
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum SurfaceName {
    Ads,
    Posts,
    Reels,
    Groups,
}

impl SurfaceName {
    fn surface(self) -> Surface {
        match self {
            Self::Ads => Surface::Ads,
            Self::Posts => Surface::Posts,
            Self::Reels => Surface::Reels,
            Self::Groups => Surface::Groups,
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // A reader that has seen enough (`| head`) is no error.
            let closed = error.chain().any(|cause| {
                cause
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
                    || cause
                        .downcast_ref::<serde_json::Error>()
                        .is_some_and(|e| e.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe))
            });
            if closed {
                return ExitCode::SUCCESS;
            }
            eprintln!("tactful: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Lines that did not fit: the rest was taken in.
const SOME_BAD: u8 = 2;

fn run(cli: Cli) -> Result<ExitCode> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let code = match cli.command {
        Command::Tour => tour::tour(&mut out)?,
        Command::Ingest { files, policy, items, strict, place, output } => {
            let mut data = place.open(true)?;
            let policy = data.put_in_force(&policy)?;
            let model = data::model(&data.taxonomy)?;
            let mut report = ingest::Report::default();
            if let Some(items) = items {
                let (count, troubles) = items::take_in(&items, &mut data, &model, strict)?;
                report.items = count;
                report.trouble(troubles);
            }
            let options = ingest::Options { strict, progress: true };
            let logs = ingest::ingest(&files, &mut data, &policy, &model, &options)?;
            report.add_all(logs);
            print_report(&mut out, &report, output.format)?;
            if report.bad_lines > 0 { ExitCode::from(SOME_BAD) } else { ExitCode::SUCCESS }
        }
        Command::Understand { file } => {
            let taxonomy = data::taxonomy()?;
            let model = data::model(&taxonomy)?;
            match understand::understand(&file, &taxonomy, &model, &mut out)? {
                0 => ExitCode::SUCCESS,
                _ => ExitCode::from(SOME_BAD),
            }
        }
        Command::Eval { options, output } => {
            let taxonomy = data::taxonomy()?;
            let model = data::model(&taxonomy)?;
            let card = eval::eval(&options, &taxonomy, &model)?;
            let fine = match output.format {
                Format::Json => {
                    json(&mut out, &card)?;
                    eval::report(&card, &options, &mut std::io::sink())?
                }
                Format::Text => eval::report(&card, &options, &mut out)?,
            };
            if fine { ExitCode::SUCCESS } else { ExitCode::from(SOME_BAD) }
        }
        Command::Profile { account, all, at, policy, place, output } => {
            let mut data = place.open(false)?;
            let policy = data.policy(policy.as_ref())?;
            let at = at.unwrap_or_else(Timestamp::now);
            match account {
                Some(account) if !all => {
                    let tag = account.tag(&data.keyring);
                    let person = data.store.person(tag, at, policy.cross_platform)?;
                    if person.members.is_empty() {
                        bail!("nothing is held of {}:{}", account.platform, account.id);
                    }
                    let view = show::profile_view(&person, &policy, &data.taxonomy, at);
                    match output.format {
                        Format::Json => json(&mut out, &view)?,
                        Format::Text => {
                            write!(out, "{}", show::profile_text(&view, &data.taxonomy))?;
                        }
                    }
                }
                _ => all_profiles(&mut out, &mut data, &policy, at, output.format)?,
            }
            ExitCode::SUCCESS
        }
        Command::Recommend {
            account,
            surface,
            k,
            at,
            place,
            friends,
            record,
            policy,
            data,
            output,
        } => {
            let mut data = data.open(false)?;
            let policy = data.policy(policy.as_ref())?;
            let inventory = items::inventory(&mut data)?;
            let request = show::Request {
                account: account.tag(&data.keyring),
                surface: surface.surface(),
                k: usize::from(k),
                at: at.unwrap_or_else(Timestamp::now),
                place,
                friends: friends.into_iter().collect(),
                opted_out: false,
            };
            let (slots, views) = show::recommend(&mut data, &inventory, &policy, &request)?;
            if record {
                let shown: Vec<Shown> = slots
                    .iter()
                    .enumerate()
                    .map(|(at, slot)| shown(&data, &request, at, slot))
                    .collect();
                data.store.show(&shown)?;
            }
            match output.format {
                Format::Json => json(&mut out, &serde_json::json!({ "slate": views }))?,
                Format::Text => {
                    write!(out, "{}", show::slate_text(request.surface, &views, &data.taxonomy))?;
                }
            }
            ExitCode::SUCCESS
        }
        Command::Serve { options, place } => {
            let DataArgs { folder, key, database } = place;
            serve::serve(options, folder, key, database)?;
            ExitCode::SUCCESS
        }
        Command::Keys { what, place } => {
            let store = &mut place.open(true)?.store;
            match what {
                KeysCommand::Add { name, scopes, advertiser } => {
                    let now = Timestamp::now().to_string();
                    let key = serve::access::add(store, &name, &scopes, advertiser, &now)?;
                    writeln!(out, "{key}")?;
                }
                KeysCommand::List => {
                    for key in serve::access::keys(store)? {
                        write!(out, "{}\t{:?}\t{}", key.name, key.scopes, key.made)?;
                        let whose = key.advertiser.map(|whose| format!("\t{whose}"));
                        writeln!(out, "{}", whose.unwrap_or_default())?;
                    }
                }
                KeysCommand::Revoke { name } => serve::access::revoke(store, &name)?,
            }
            ExitCode::SUCCESS
        }
        Command::Policy { what: PolicyCommand::Check { file } } => {
            let (policy, _) = data::read_policy(&file)?;
            write!(out, "{policy}")?;
            ExitCode::SUCCESS
        }
        Command::Policy {
            what: PolicyCommand::Simulate { with, logs, at, policy, place, output },
        } => {
            let mut data = place.open(false)?;
            let (now, (with, _)) = (data.policy(policy.as_ref())?, data::read_policy(&with)?);
            let at = at.unwrap_or_else(Timestamp::now);
            let simulated = simulate::simulate(&mut data, [&now, &with], &logs, at)?;
            match output.format {
                Format::Json => json(&mut out, &simulated)?,
                Format::Text => write!(out, "{simulated}")?,
            }
            ExitCode::SUCCESS
        }
        Command::Audit { at, policy, place, output } => {
            let mut data = place.open(false)?;
            let policy = data.policy(policy.as_ref())?;
            let found = audit::audit(&mut data, &policy, at.unwrap_or_else(Timestamp::now))?;
            match output.format {
                Format::Json => json(&mut out, &found)?,
                Format::Text => write!(out, "{found}")?,
            }
            if found.holds() { ExitCode::SUCCESS } else { ExitCode::from(SOME_BAD) }
        }
        Command::Backup { to, place } => {
            backup::back_up(&mut place.open(false)?, &to)?;
            writeln!(out, "backed up into {}; the key is kept apart", to.display())?;
            ExitCode::SUCCESS
        }
        Command::Restore { from, deleted_in, place } => {
            let later = deleted_in.as_deref();
            backup::restore(&from, &place.folder, place.key.as_deref(), later)?;
            let since = match later {
                Some(_) => "what was deleted and chosen since the backup holds",
                None => {
                    "what was deleted since the backup is there again until its deletions are \
                     taken in once more (tactful ingest, or restore --deleted-in)"
                }
            };
            writeln!(out, "restored into {}; {since}", place.folder.display())?;
            ExitCode::SUCCESS
        }
        Command::Sweep { at, place, output } => {
            let mut data = place.open(false)?;
            let policy = data.policy(None)?;
            let at = at.unwrap_or_else(Timestamp::now);
            let swept = data.store.sweep(at, policy.retention_days)?;
            match output.format {
                Format::Json => json(&mut out, &swept)?,
                Format::Text => {
                    for (table, rows) in swept {
                        writeln!(out, "{table}: {rows} taken out")?;
                    }
                }
            }
            ExitCode::SUCCESS
        }
        Command::Convert { file, out: to } => {
            match to {
                Some(path) => {
                    let file_out = std::fs::File::create(&path)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                    let mut file_out = std::io::BufWriter::new(file_out);
                    convert::convert(&file, &mut file_out)?;
                    file_out.flush()?;
                }
                None => convert::convert(&file, &mut out)?,
            }
            ExitCode::SUCCESS
        }
        Command::Floor => {
            bench::floor()?;
            ExitCode::SUCCESS
        }
        Command::Bench { options, output } => {
            let result = bench::bench(&options)?;
            match output.format {
                Format::Json => json(&mut out, &result)?,
                Format::Text => write!(out, "{result}")?,
            }
            ExitCode::SUCCESS
        }
    };
    out.flush()?;
    Ok(code)
}

fn json(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// The slot of a request: the same request again is the same slot.
fn shown(
    data: &Data,
    request: &show::Request,
    place: usize,
    slot: &tactful_core::ranking::slate::Slot,
) -> Shown {
    let slot_tag: Tag = data.keyring.tag(
        "slot",
        &[
            &request.account.0.to_be_bytes(),
            request.surface.as_str().as_bytes(),
            &request.at.as_microsecond().to_be_bytes(),
            &place.to_be_bytes(),
        ],
    );
    let charge = slot.won.zip(slot.item.campaign.as_ref()).map(|(won, campaign)| {
        // A response costs `price`; one showing is worth that times its likelihood.
        let micros = u128::from(won.price) * u128::from(won.bid.response) / 1_000_000;
        (campaign.id.clone(), u64::try_from(micros).unwrap_or(u64::MAX))
    });
    Shown {
        account: request.account,
        slot: slot_tag,
        item: slot.item.id.clone(),
        at: request.at,
        charge,
    }
}

/// Everyone's profile, by the person's tag; nobody twice.
fn all_profiles(
    out: &mut impl Write,
    data: &mut Data,
    policy: &tactful_core::policy::Policy,
    at: Timestamp,
    format: Format,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for account in data.store.accounts()? {
        // The person stands where the first of the linked accounts does, and is read once only.
        if seen.contains(&account) {
            continue;
        }
        let person = data.store.person(account, at, policy.cross_platform)?;
        seen.extend(person.members.iter().map(|member| member.account));
        let view = show::profile_view(&person, policy, &data.taxonomy, at);
        match format {
            Format::Json => json(out, &view)?,
            Format::Text => write!(out, "{}", show::profile_text(&view, &data.taxonomy))?,
        }
    }
    Ok(())
}

fn print_report(out: &mut impl Write, report: &ingest::Report, format: Format) -> Result<()> {
    if format == Format::Json {
        return json(out, report);
    }
    writeln!(out, "{} lines, {} items", report.lines, report.items)?;
    for (outcome, events) in &report.outcomes {
        writeln!(out, "  {events:>10}  {outcome}")?;
    }
    if report.bad_lines > 0 {
        writeln!(out, "{} lines did not fit and were left out:", report.bad_lines)?;
        for trouble in &report.bad {
            writeln!(out, "  line {}: {}", trouble.line, trouble.what)?;
        }
    }
    Ok(())
}
