//! Outside ids become keyed one-way tags here, and nowhere else.
//!
//! The key lies beside the data, not in it, so that the two can be backed up apart. Without it the
//! rows mean nothing to anyone: losing it loses every profile, destroying it destroys them.

use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use tactful_core::chat::{Name, Tag};
use zeroize::Zeroizing;

/// Makes tags.
#[derive(Clone)]
pub struct Keyring {
    key: Zeroizing<[u8; 32]>,
}

impl Keyring {
    /// A keyring of a given key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key) }
    }

    /// Reads the key, or makes it when `may_make` says so. Tells whether it was made.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds anything but 64 hex digits.
    pub fn open(path: &Path, may_make: bool) -> Result<(Self, bool)> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                let key = blake3::Hash::from_hex(text.trim()).map_err(|_| {
                    anyhow::anyhow!("{} is no key: expected 64 hex digits", path.display())
                })?;
                Ok((Self::new(*key.as_bytes()), false))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && may_make => {
                let mut key = Zeroizing::new([0u8; 32]);
                getrandom::fill(key.as_mut_slice())
                    .map_err(|error| anyhow::anyhow!("no randomness for a key: {error}"))?;
                let hex = Zeroizing::new(blake3::Hash::from_bytes(*key).to_hex().to_string());
                private_file(path)
                    .and_then(|mut file| {
                        file.write_all(hex.as_bytes())?;
                        file.sync_all()
                    })
                    .with_context(|| {
                        format!(
                            "cannot make the key {}; name another place with --key",
                            path.display()
                        )
                    })?;
                Ok((Self::new(*key), true))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "the key {} is not there, and without it this data means nothing; put it back, or \
                 name its place with --key",
                path.display()
            ),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// What tells one key from another without telling the key.
    pub fn mark(&self) -> String {
        self.tag("mark", &[]).to_string()
    }

    /// The tag of an account.
    pub fn account(&self, platform: Name, id: &str) -> Tag {
        self.tag("account", &[platform.as_str().as_bytes(), id.as_bytes()])
    }

    /// The tag of a conversation.
    pub fn conversation(&self, account: Tag, conversation: &str) -> Tag {
        self.tag("conversation", &[&account.0.to_be_bytes(), conversation.as_bytes()])
    }

    /// The tag of a turn.
    pub fn turn(&self, conversation: Tag, turn: &str) -> Tag {
        self.tag("turn", &[&conversation.0.to_be_bytes(), turn.as_bytes()])
    }

    /// The tag of an activity.
    pub fn activity(&self, account: Tag, activity: &str) -> Tag {
        self.tag("activity", &[&account.0.to_be_bytes(), activity.as_bytes()])
    }

    /// The tag of anything else: a kind, and the parts that name it.
    pub fn tag(&self, kind: &str, parts: &[&[u8]]) -> Tag {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in std::iter::once(&kind.as_bytes()).chain(parts) {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let mut first = [0; 16];
        hasher.finalize_xof().fill(&mut first);
        Tag(u128::from_be_bytes(first))
    }
}

fn private_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Where the key of a data folder lies unless it is said: `tactful.key` beside the folder.
pub fn key_beside(data: &Path) -> PathBuf {
    let data = fs::canonicalize(data).unwrap_or_else(|_| data.to_path_buf());
    data.parent().unwrap_or(Path::new(".")).join("tactful.key")
}

/// An account as it is written: `platform:id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The app.
    pub platform: Name,
    /// The app's own id.
    pub id: String,
}

impl std::str::FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected platform:id, such as whatsapp:4411 (platform: 1 to 24 of a-z, 0-9, `_`, `-`; \
             id: 1 to 256 characters, none of them a control character)"
                .to_owned()
        };
        let (platform, id) = text.split_once(':').ok_or_else(expected)?;
        let platform = Name::new(platform).ok_or_else(expected)?;
        if !valid_id(id) {
            return Err(expected());
        }
        Ok(Self { platform, id: id.to_owned() })
    }
}

/// 1 to 256 bytes, no control characters.
pub fn valid_id(id: &str) -> bool {
    (1..=256).contains(&id.len()) && !id.chars().any(char::is_control)
}

impl Account {
    /// Its tag.
    pub fn tag(&self, keyring: &Keyring) -> Tag {
        keyring.account(self.platform, &self.id)
    }
}
