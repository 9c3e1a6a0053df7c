//! `tactful tour`: the main job on the bundled example, told step by step.

use crate::data::{Data, model};
use crate::identity::Account;
use crate::ingest::{Options, Report, ingest};
use crate::items::{inventory, parse_place, take_in};
use crate::show::{Request, profile_text, profile_view, recommend, slate_text};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use tactful_core::policy::Policy;
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::Surface;

const LOG: &str = include_str!("../../../examples/world/log.jsonl");
const ITEMS: &str = include_str!("../../../examples/world/items.jsonl");
const POLICY: &str = include_str!("../../../policies/announced-2025-12-16.toml");

/// Ten minutes after Mara asked for boots.
const KNEE: &str = r#"{"type":"turn","at":"2025-12-30T09:13:00Z","account":"whatsapp:mara","conversation":"c0","turn":"knee","role":"user","audience":"assistant","encrypted":false,"modality":"text","product":"assistant","text":"also my knee hurts on the way down, what can I do about the pain?"}"#;

/// Mara moves.
const BERLIN: &str =
    r#"{"type":"account","at":"2026-01-10T09:00:00Z","account":"whatsapp:mara","region":"DE"}"#;

/// Everything of the example, opened in a folder of its own.
struct World {
    folder: std::path::PathBuf,
    data: Data,
    policy: Policy,
    inventory: Inventory,
    report: Report,
}

impl World {
    fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        for (name, text) in [("log.jsonl", LOG), ("items.jsonl", ITEMS), ("policy.toml", POLICY)] {
            std::fs::write(folder.join(name), text)?;
        }
        // A key of the example's own, so that its tags are the same on every machine.
        std::fs::write(folder.join("tactful.key"), "7".repeat(64))?;
        let key = folder.join("tactful.key");
        let mut data = Data::open(&folder.join("data"), Some(&key), None, true)?;
        let policy = data.put_in_force(&folder.join("policy.toml"))?;
        let model = model(&data.taxonomy)?;
        let (items, _) = take_in(&folder.join("items.jsonl"), &mut data, &model, true)?;
        let inventory = inventory(&mut data)?;
        let mut world =
            Self { folder: folder.to_owned(), data, policy, inventory, report: Report::default() };
        world.report = world.take("log.jsonl")?;
        world.report.items = items;
        Ok(world)
    }

    fn take(&mut self, log: &str) -> Result<Report> {
        let model = model(&self.data.taxonomy)?;
        let options = Options { strict: true, progress: false };
        ingest(&[self.folder.join(log)], &mut self.data, &self.policy, &model, &options)
    }

    fn tell(&mut self, name: &str, event: &str) -> Result<()> {
        std::fs::write(self.folder.join(name), event)?;
        self.take(name).map(|_| ())
    }

    fn profile(&mut self, account: &str, at: Timestamp) -> Result<String> {
        let tag = account.parse::<Account>().map_err(anyhow::Error::msg)?.tag(&self.data.keyring);
        let person = self.data.store.person(tag, at, self.policy.cross_platform)?;
        let view = profile_view(&person, &self.policy, &self.data.taxonomy, at);
        Ok(profile_text(&view, &self.data.taxonomy))
    }

    fn slate(&mut self, account: &str, surface: Surface, at: Timestamp) -> Result<String> {
        let request = Request {
            account: account
                .parse::<Account>()
                .map_err(anyhow::Error::msg)?
                .tag(&self.data.keyring),
            surface,
            k: 3,
            at,
            place: Some(parse_place("40.015,-105.271").map_err(anyhow::Error::msg)?),
            friends: BTreeSet::from(["facebook:jude".to_owned()]),
            opted_out: false,
        };
        let (_, views) = recommend(&mut self.data, &self.inventory, &self.policy, &request)?;
        Ok(slate_text(surface, &views, &self.data.taxonomy))
    }
}

/// Tells the tour.
///
/// # Errors
/// When the example cannot be set up in a folder for temporary files, or the output is closed.
pub fn tour(out: &mut impl Write) -> Result<ExitCode> {
    let folder = std::env::temp_dir().join(format!("tactful-tour-{}", std::process::id()));
    let told = World::open(&folder)
        .with_context(|| format!("cannot set the example up in {}", folder.display()))
        .and_then(|mut world| tell(&mut world, out));
    // A tour leaves nothing behind, whether it was told to the end or not.
    let _ = std::fs::remove_dir_all(&folder);
    told.map(|()| ExitCode::SUCCESS)
}

fn tell(world: &mut World, out: &mut impl Write) -> Result<()> {
    let at: Timestamp = "2026-01-05T09:00:00Z".parse()?;
    let later: Timestamp = "2026-01-15T09:00:00Z".parse()?;
    writeln!(out, "THE RULES: policies/announced-2025-12-16.toml, in words\n\n{}", world.policy)?;
    let (lines, items) = (world.report.lines, world.report.items);
    writeln!(out, "WHAT BECAME OF {lines} EVENTS (and {items} items)\n")?;
    for (outcome, events) in &world.report.outcomes {
        writeln!(out, "  {events:>5}  {:<20} {}", outcome, meaning(outcome))?;
    }
    writeln!(out, "\nMARA ASKED FOR HIKES NEAR BOULDER, ON WHATSAPP; her accounts are linked\n")?;
    write!(out, "{}", world.profile("whatsapp:mara", at)?)?;
    writeln!(out, "\nWHAT SHE SEES ON FACEBOOK, in Boulder, with Jude for a friend\n")?;
    for surface in [Surface::Groups, Surface::Posts, Surface::Reels, Surface::Ads] {
        writeln!(out, "{}", world.slate("facebook:mara", surface, at)?)?;
    }
    writeln!(
        out,
        "TEN MINUTES LATER, IN THE SAME CONVERSATION, SHE MENTIONS HER KNEE:\nall that the conversation gave is gone\n"
    )?;
    world.tell("knee.jsonl", KNEE)?;
    write!(out, "{}", world.profile("whatsapp:mara", at)?)?;
    writeln!(out, "\nON 10 JANUARY SHE MOVES TO BERLIN: no chat is used for her any more\n")?;
    world.tell("berlin.jsonl", BERLIN)?;
    write!(out, "{}", world.profile("whatsapp:mara", later)?)?;
    writeln!(out, "\n{}", world.slate("facebook:mara", Surface::Groups, later)?)?;
    writeln!(out, "Next: tactful ingest LOG --policy policies/opt-in.toml --data ./data")?;
    Ok(())
}

fn meaning(outcome: &str) -> &'static str {
    match outcome {
        "used" => "something was learned",
        "nothing_of_interest" => "read, and about nothing that is an interest",
        "sensitive" => "a protected subject: its conversation is shut",
        "shut" => "in a conversation that was shut",
        "encrypted" => "never read",
        "people" => "said to people, never read",
        "before_effective" => "said before 16 December 2025, never read",
        "no_notice" => "the person had not been told in time, never read",
        "excluded_region" => "from a region that is excluded, never read",
        "unknown_region" => "the region was not known, never read",
        "under_age" => "of a minor, never read",
        "language" => "in a language whose recall was not measured",
        "deleted" => "deleted by the person",
        "known" => "not said: an account, a notice, a link, a choice, a deletion",
        _ => "",
    }
}
