//! The demo's other people: what is known of them, what they were shown, and what they say while
//! one looks, so that the console has something to look at. They are made up (`examples/world`).

use super::App;
use super::intake::Input;
use crate::data::Data;
use crate::events::Line;
use crate::ingest::add_known;
use crate::items::inventory;
use anyhow::{Result, anyhow};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tactful_core::policy::Policy;
use tactful_store::batch::Batch;
use tactful_store::inventory::Shown;
use zeroize::Zeroizing;

const LOG: &str = include_str!("../../../../examples/world/log.jsonl");

/// What they say at once, so that there is something from the beginning.
const AT_FIRST: usize = 80;

/// Between two things that they say then.
const PAUSE: Duration = Duration::from_millis(1_500);

/// Days on which the campaigns were shown before the demo begins.
const DAYS: i64 = 30;

/// What of its budget a campaign has spent by then, in hundredths, one campaign after the other.
const SPENT: [u64; 11] = [62, 18, 88, 45, 30, 77, 8, 53, 96, 24, 69];

/// Adds what lines of a log say of accounts to a batch; what was said and done is left out.
///
/// # Errors
/// When a line does not fit.
pub fn add_all_known(batch: &mut Batch, log: &str, data: &Data, policy: &Policy) -> Result<()> {
    for line in log.lines() {
        let unfit = |bad: crate::events::BadLine| anyhow!("the demo's log: {}", bad.field);
        let line = Line::split(line.as_bytes()).map_err(unfit)?;
        if !line.is_said_or_done() {
            add_known(batch, line.event(&data.keyring, &data.taxonomy).map_err(unfit)?, policy);
        }
    }
    Ok(())
}

/// Puts what is known of them into the store, and what they were shown.
///
/// # Errors
/// When the store refuses.
pub fn fill(data: &mut Data, policy: &Policy) -> Result<()> {
    let mut batch = Batch::default();
    add_all_known(&mut batch, LOG, data, policy)?;
    data.store.commit(&batch, policy)?;
    let first: Timestamp = "2025-11-16T12:00:00Z".parse()?;
    let inventory = inventory(data)?;
    let campaigns =
        inventory.items().iter().filter_map(|item| Some((item, item.campaign.as_ref()?)));
    let mut shown = Vec::new();
    for (n, ((item, campaign), hundredths)) in (0..).zip(campaigns.zip(SPENT.into_iter().cycle())) {
        let a_day = campaign.budget * hundredths / 100 / u64::try_from(DAYS)?;
        for day in 0..DAYS {
            // Two people a day, of whom one clicks; weekends are worth more.
            let at = first.checked_add(SignedDuration::from_hours(24 * day))?;
            let worth = [8, 9, 10, 9, 10, 12, 12][usize::try_from((day * (1 + n % 3) + n) % 7)?];
            for clicks in [false, true] {
                let viewer = format!("{day}-{clicks}");
                let parts: [&[u8]; 2] = [item.id.as_bytes(), viewer.as_bytes()];
                shown.push(Shown {
                    account: data.keyring.tag("demo viewer", &[viewer.as_bytes()]),
                    slot: data.keyring.tag("impression", &parts),
                    item: item.id.clone(),
                    at,
                    charge: clicks.then(|| (campaign.id.clone(), a_day * worth / 10)),
                });
            }
        }
    }
    Ok(data.store.show(&shown)?)
}

/// Lets them talk, one thing after the other, for as long as the server runs.
pub fn talk(app: &Arc<App>) {
    let app = Arc::downgrade(app);
    tokio::spawn(async move {
        let mut lines = LOG.lines().filter(is_said).cycle();
        let mut share = AT_FIRST;
        while let Some(app) = app.upgrade() {
            let inputs = lines.by_ref().take(share);
            let inputs = inputs.map(|line| Input::Line(Zeroizing::new(line.as_bytes().to_vec())));
            // When the queue is full, whoever tries the demo comes first.
            let _ = app.take(inputs.collect()).await;
            drop(app);
            share = 1;
            tokio::time::sleep(PAUSE).await;
        }
    });
}

fn is_said(line: &&str) -> bool {
    Line::split(line.as_bytes()).is_ok_and(|line| line.is_said_or_done())
}
