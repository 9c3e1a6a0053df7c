//! A data folder: the store, the key beside it, the policy in force.

use crate::identity::{Keyring, key_beside};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tactful_core::policy::Policy;
use tactful_core::taxonomy::Taxonomy;
use tactful_reader::Model;
use tactful_store::Store;

/// The taxonomy, the model and the policies of this build.
const INTERESTS: &str = include_str!("../../../taxonomy/interests.tsv");

/// The interests of this build.
///
/// # Errors
/// Never with the shipped file; a build with another one says what is wrong with it.
pub fn taxonomy() -> Result<Arc<Taxonomy>> {
    Ok(Arc::new(Taxonomy::parse(INTERESTS).context("taxonomy/interests.tsv")?))
}

/// The model of this build: the one place that knows its file.
///
/// # Errors
/// When the file is not whole, or of another taxonomy.
pub fn model(taxonomy: &Taxonomy) -> Result<Model> {
    Model::shipped(taxonomy).context("the shipped model")
}

/// The name under which the policies that were in force are kept.
const POLICIES: &str = "policies";

/// A policy, and from when on it was in force here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PastPolicy {
    /// RFC 3339.
    pub since: String,
    /// Its file.
    pub text: String,
}

/// Makes a folder for what nobody else on this machine may read.
///
/// # Errors
/// When the system refuses.
pub fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// An open data folder.
pub struct Data {
    /// The rows.
    pub store: Store,
    /// Where they are, for threads that open their own.
    pub location: String,
    /// Makes tags.
    pub keyring: Keyring,
    /// The interests.
    pub taxonomy: Arc<Taxonomy>,
}

impl Data {
    /// Opens a folder (or the PostgreSQL database that `database` names), and makes it when
    /// `may_make` says so.
    ///
    /// # Errors
    /// When it is not there and may not be made, or the key is not the one it was made with.
    pub fn open(
        folder: &Path,
        key: Option<&Path>,
        database: Option<&str>,
        may_make: bool,
    ) -> Result<Self> {
        let file = folder.join("tactful.sqlite");
        if may_make {
            make_folder(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        } else if database.is_none() && !file.exists() {
            bail!("there is no data in {}: take in a log first (tactful ingest)", folder.display());
        }
        let location = match database {
            Some(url) => url.to_owned(),
            None => file.to_str().context("the data folder's name is not UTF-8")?.to_owned(),
        };
        let taxonomy = taxonomy()?;
        let mut store = Store::open(&location, Arc::clone(&taxonomy))?;
        let mark = store.note("key")?;
        let path = key.map_or_else(|| key_beside(folder), Path::to_path_buf);
        let (keyring, made) = Keyring::open(&path, may_make && mark.is_none())?;
        match mark {
            None => store.set_note("key", &keyring.mark())?,
            Some(mark) if mark == keyring.mark() => {}
            Some(_) => bail!(
                "{} is not the key that this data was made with; name the right one with --key",
                path.display()
            ),
        }
        if made {
            eprintln!(
                "made the key {}: keep a copy apart from the data; without it the data means \
                 nothing",
                path.display()
            );
        }
        Ok(Self { store, location, keyring, taxonomy })
    }

    /// The policy in force: the one of a file, which is then remembered, or the one that was
    /// remembered last.
    ///
    /// # Errors
    /// When the file does not fit, or none was ever given.
    pub fn policy(&mut self, file: Option<&PathBuf>) -> Result<Policy> {
        match file {
            Some(file) => read_policy(file).map(|(policy, _)| policy),
            None => {
                let text = self.store.note("policy")?.context(
                    "no policy is in force here: name one with --policy, or take in a log with one",
                )?;
                Policy::parse(&text).context("the policy in force")
            }
        }
    }

    /// Puts a policy in force.
    ///
    /// # Errors
    /// When the file does not fit.
    pub fn put_in_force(&mut self, file: &Path) -> Result<Policy> {
        let (policy, text) = read_policy(file)?;
        self.remember_policy(&text, Timestamp::now())?;
        Ok(policy)
    }

    /// Keeps a policy as the one in force, after those that were. The same one again adds nothing.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn remember_policy(&mut self, text: &str, since: Timestamp) -> Result<()> {
        let mut all = self.policies()?;
        if all.last().is_none_or(|last| last.text != text) {
            all.push(PastPolicy { since: since.to_string(), text: text.to_owned() });
            self.store.set_note(POLICIES, &serde_json::to_string(&all)?)?;
        }
        Ok(self.store.set_note("policy", text)?)
    }

    /// The policies that were put in force, the oldest first.
    ///
    /// # Errors
    /// When the store refuses, or holds what this version did not write.
    pub fn policies(&mut self) -> Result<Vec<PastPolicy>> {
        match self.store.note(POLICIES)? {
            Some(text) => serde_json::from_str(&text).context("the policies in the store"),
            None => Ok(Vec::new()),
        }
    }
}

/// Reads a policy file; gives its text too.
///
/// # Errors
/// When it cannot be read, or the line and the field that do not fit.
pub fn read_policy(file: &Path) -> Result<(Policy, String)> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the policy {}", file.display()))?;
    let policy =
        Policy::parse(&text).map_err(|error| anyhow::anyhow!("{} {error}", file.display()))?;
    Ok((policy, text))
}
