//! Backup while the server runs, and restore. The key is no part of it: it is kept apart.

use crate::data::Data;
use anyhow::{Context, Result, bail};
use std::path::Path;

const FILE: &str = "tactful.sqlite";

/// Copies the rows into a folder: one consistent state, while others read and write.
///
/// # Errors
/// When there is a backup already, or the engine refuses.
pub fn back_up(data: &mut Data, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
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

/// Puts a backup into a data folder that holds none, and looks at all of it.
///
/// # Errors
/// When there is data already, the backup is damaged, or the key is another one.
pub fn restore(from: &Path, folder: &Path, key: Option<&Path>) -> Result<()> {
    let (source, file) = (from.join(FILE), folder.join(FILE));
    if file.exists() {
        bail!("there is data in {} already; move it away first", folder.display());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::copy(&source, &file)
        .with_context(|| format!("cannot copy the backup {}", source.display()))?;
    let checked =
        Data::open(folder, key, None, false).and_then(|mut data| Ok(data.store.check()?));
    if checked.is_err() {
        std::fs::remove_file(&file)?;
    }
    checked
}
