//! Events in: a bounded queue, one writer, commits of whatever has come together.
//!
//! A request is answered once its rows are durable. What is known of the accounts is written
//! before what was said and done is judged, as in a log.

use crate::events::{Event, Line};
use crate::identity::Keyring;
use crate::ingest::{Judged, NOTHING, SHUT, Said, USED, add_known};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tactful_core::chat::Tag;
use tactful_core::firewall::Stop;
use tactful_core::policy::Policy;
use tactful_core::taxonomy::Taxonomy;
use tactful_reader::Model;
use tactful_store::batch::Batch;
use tactful_store::{Store, StoreError};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Requests that may wait.
const WAITING: usize = 256;

/// Events that are committed together, at most.
const TOGETHER: usize = 4096;

/// So few events are not worth a thread of their own.
const FEW: usize = 8;

/// What became of one event, for who sent it: `used`, `known`, a refusal's code, `not_used`, or
/// what was wrong with it.
pub type Ended = Result<&'static str, String>;

/// It was not used, and whether it was sensitive is nobody's business: nor is it told by being the
/// only outcome that is called so, since what says nothing of interest is called so too.
pub const NOT_USED: &str = "not_used";

/// Is it told to nobody but who runs this, that an event ended so?
pub fn is_private(code: &str) -> bool {
    matches!(code, NOTHING | SHUT) || code == Stop::Sensitive.code()
}

/// An event as it comes: a line of JSON, or made here (by the proxy).
pub enum Input {
    /// One JSON object. Wiped on drop.
    Line(Zeroizing<Vec<u8>>),
    /// An event.
    Event(Box<Event>),
    /// A turn that nobody answered: it may shut its conversation, and teaches nothing.
    Unanswered(Box<Event>),
}

type Job = (Vec<Input>, oneshot::Sender<Result<Vec<Ended>, StoreError>>);

/// The way to the writer.
#[derive(Clone)]
pub struct Intake {
    queue: SyncSender<Job>,
}

/// Why events could not be taken in.
pub enum Refused {
    /// The queue is full.
    Busy,
    /// The store refused, or the writer is gone.
    Failed(String),
}

/// What the writer works with.
pub struct Writer {
    /// Its own store.
    pub store: Store,
    /// One more for each thread that judges, where more than one does.
    pub judges: Vec<Store>,
    /// Makes tags.
    pub keyring: Keyring,
    /// The interests.
    pub taxonomy: Arc<Taxonomy>,
    /// The policy in force, which may change.
    pub policy: Arc<arc_swap::ArcSwap<Policy>>,
    /// The model.
    pub model: Arc<Model>,
    /// Told of every event that ended.
    pub count: Box<dyn Fn(&'static str) + Send>,
}

impl Intake {
    /// Starts the writer. It ends when every `Intake` is dropped and the queue is empty.
    pub fn start(writer: Writer) -> (Self, std::thread::JoinHandle<()>) {
        let (queue, jobs) = sync_channel(WAITING);
        let thread = std::thread::spawn(move || writer.run(&jobs));
        (Self { queue }, thread)
    }

    /// Takes events in, one JSON object each; answers once they are durable.
    ///
    /// # Errors
    /// When the queue is full or the store refuses; nothing of them is kept then.
    pub async fn take(&self, events: Vec<Input>) -> Result<Vec<Ended>, Refused> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send((events, answer)).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Failed("the writer has ended".to_owned()),
        })?;
        match answered.await {
            Ok(Ok(ended)) => Ok(ended),
            Ok(Err(error)) => Err(Refused::Failed(error.to_string())),
            Err(_) => Err(Refused::Failed("the writer has ended".to_owned())),
        }
    }
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut taken = vec![first];
            let mut events = taken[0].0.len();
            while events < TOGETHER
                && let Ok(job) = jobs.try_recv()
            {
                events += job.0.len();
                taken.push(job);
            }
            let (inputs, answers): (Vec<_>, Vec<_>) = taken
                .into_iter()
                .map(|(inputs, answer)| {
                    let count = inputs.len();
                    (inputs, (count, answer))
                })
                .unzip();
            match self.write(inputs.into_iter().flatten()) {
                Ok(ended) => {
                    let mut ended = ended.into_iter();
                    for (count, answer) in answers {
                        let _ = answer.send(Ok(ended.by_ref().take(count).collect()));
                    }
                }
                Err(error) => {
                    let message = error.to_string();
                    for (_, answer) in answers {
                        let _ = answer.send(Err(StoreError::Mismatch(message.clone())));
                    }
                }
            }
        }
    }

    fn write(&mut self, inputs: impl Iterator<Item = Input>) -> Result<Vec<Ended>, StoreError> {
        let policy = self.policy.load_full();
        let mut known = Batch::default();
        let mut ended: Vec<Ended> = Vec::new();
        let mut said: Vec<(usize, Event)> = Vec::new();
        let mut unanswered = BTreeSet::new();
        for (at, input) in inputs.enumerate() {
            let event = match input {
                Input::Event(event) => Ok(*event),
                Input::Unanswered(event) => {
                    unanswered.insert(at);
                    Ok(*event)
                }
                Input::Line(line) => {
                    Line::split(&line).and_then(|l| l.event(&self.keyring, &self.taxonomy))
                }
            };
            ended.push(match event {
                Err(bad) => {
                    (self.count)("bad_event");
                    Err(bad.to_string())
                }
                Ok(event @ (Event::Turn(_) | Event::Activity(..))) => {
                    said.push((at, event));
                    Ok(NOT_USED)
                }
                Ok(event) => {
                    let code = add_known(&mut known, event, &policy);
                    (self.count)(code);
                    Ok(code)
                }
            });
        }
        self.store.commit(&known, &policy)?;
        let judged = self.judge(said, &policy)?;
        let mut batch = Batch::default();
        // What was shut before was seen as it was judged; the store keeps out what is shut meanwhile.
        batch.seals.extend(judged.iter().filter_map(|(_, judged)| judged.seal));
        let shut: BTreeSet<Tag> = batch.seals.iter().map(|seal| seal.conversation).collect();
        for (at, Judged { code, rows, .. }) in judged {
            let dropped = rows.first().is_some_and(|row| shut.contains(&row.conversation));
            let code = match code {
                _ if dropped => SHUT,
                USED if unanswered.contains(&at) => NOTHING,
                code => code,
            };
            *batch.counts.entry(code).or_default() += 1;
            (self.count)(code);
            if !is_private(code) {
                ended[at] = Ok(code);
            }
            if !dropped && !unanswered.contains(&at) {
                batch.contributions.extend(rows);
            }
        }
        self.store.commit(&batch, &policy)?;
        Ok(ended)
    }

    /// Judges what was said and done, on as many threads as there are stores for it.
    fn judge(
        &mut self,
        said: Vec<(usize, Event)>,
        policy: &Policy,
    ) -> Result<Vec<(usize, Judged)>, StoreError> {
        let (keyring, taxonomy, model) = (&self.keyring, &self.taxonomy, &*self.model);
        let work = |store: &mut Store, part: Vec<(usize, Event)>| {
            store.at_once(|store| {
                let mut said = Said::new(store, keyring, taxonomy, policy, model);
                part.into_iter().map(|(at, event)| Ok((at, said.judge(event)?))).collect()
            })
        };
        let share = said.len().div_ceil(self.judges.len().max(1)).max(FEW);
        if said.len() <= share {
            // The writer's own store: what it wrote last is still in its memory.
            return work(&mut self.store, said);
        }
        let mut shares: Vec<Vec<(usize, Event)>> = Vec::new();
        let mut said = said.into_iter();
        loop {
            let part: Vec<_> = said.by_ref().take(share).collect();
            if part.is_empty() {
                break;
            }
            shares.push(part);
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = shares
                .into_iter()
                .zip(&mut self.judges)
                .map(|(part, store)| scope.spawn(|| work(store, part)))
                .collect();
            let mut all: Vec<(usize, Judged)> = Vec::new();
            for thread in threads {
                let part = thread.join().map_err(|_| {
                    StoreError::Mismatch("a thread that judges ended early".to_owned())
                })?;
                all.extend(part?);
            }
            Ok(all)
        })
    }
}
