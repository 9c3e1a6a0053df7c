//! Backup while the server runs, and restore. The key is no part of it: it is kept apart.

use crate::data::{Data, make_folder};
use crate::identity::key_beside;
use anyhow::{Context, Result, bail};
use std::path::Path;

const FILE: &str = "tactful.sqlite";

/// Copies the rows into a folder: one consistent state, while others read and write.
///
/// # Errors
/// When there is a backup already, or the engine refuses.
pub fn back_up(data: &mut Data, to: &Path) -> Result<()> {
    make_folder(to).with_context(|| format!("cannot make {}", to.display()))?;
    let file = to.join(FILE);
    if file.exists() {
        bail!("there is a backup in {} already; name another folder", to.display());
    }
    // Under another name until it is whole: who finds the file finds a backup.
    let partial = to.join("partial");
    if partial.exists() {
        std::fs::remove_file(&partial)?;
    }
    data.store.back_up(partial.to_str().context("the folder's name is not UTF-8")?)?;
    std::fs::File::open(&partial)?.sync_all()?;
    std::fs::rename(&partial, &file)?;
    Ok(())
}

/// Puts a backup into a data folder that holds none, and looks at all of it. What people deleted and
/// chose after the backup holds again when the folder where they did, `later`, is still there.
///
/// # Errors
/// When there is data already, the backup or `later` is damaged, or the key is another one; nothing is
/// restored then.
pub fn restore(from: &Path, folder: &Path, key: Option<&Path>, later: Option<&Path>) -> Result<()> {
    let (source, file) = (from.join(FILE), folder.join(FILE));
    if file.exists() {
        bail!("there is data in {} already; move it away first", folder.display());
    }
    if let Some(later) = later.filter(|later| !later.join(FILE).exists()) {
        bail!("there is no {FILE} in {}: give --deleted-in the old data folder", later.display());
    }
    make_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::copy(&source, &file)
        .with_context(|| format!("cannot copy the backup {}", source.display()))?;
    let restored = check(folder, key, later);
    if restored.is_err() {
        std::fs::remove_file(&file)?;
    }
    restored
}

fn check(folder: &Path, key: Option<&Path>, later: Option<&Path>) -> Result<()> {
    let mut data = Data::open(folder, key, None, false)?;
    data.store.check()?;
    if let Some(later) = later {
        // Opened first: of an earlier version, it is brought up; of another key, it is refused.
        let key = key.map_or_else(|| key_beside(folder), Path::to_path_buf);
        let mut other = Data::open(later, Some(&key), None, false)?;
        other.store.check()?;
        data.store.take_over(&other.location)?;
    }
    Ok(())
}
