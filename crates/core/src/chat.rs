//! What a person said to the assistant, and the facts around it.

use jiff::Timestamp;
use std::fmt;
use zeroize::Zeroize;

/// A keyed one-way tag that stands for an outside id. Made at the edge; the core never sees the id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u128);

impl Tag {
    /// A tag as it is written: 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// The shard that holds what belongs to this tag: its first 12 bits, 0 to 4095.
    pub fn shard(self) -> u16 {
        (self.0 >> 116) as u16
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

/// The name of a platform or a product: 1 to 24 of `a-z`, `0-9`, `_`, `-`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    bytes: [u8; 24],
}

impl Name {
    /// Takes a name; `None` when it is empty, too long or has other characters.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=24).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        let mut bytes = [0; 24];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        fits.then_some(Self { bytes })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|b| *b == 0).unwrap_or(self.bytes.len());
        std::str::from_utf8(&self.bytes[..length]).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The assistant.
    Assistant,
    /// The operator's instructions.
    System,
    /// A tool's answer, or text recalled from a memory.
    Tool,
}

/// To whom it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// To the assistant.
    Assistant,
    /// To other people. Never read.
    People,
}

/// How it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Modality {
    /// Typed.
    Text,
    /// Spoken; the text is a transcript.
    Voice,
    /// A prompt to make a picture.
    ImagePrompt,
}

impl Modality {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Text, Self::Voice, Self::ImagePrompt];

    /// The name in the log and in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Voice => "voice",
            Self::ImagePrompt => "image_prompt",
        }
    }

    /// The modality of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == name)
    }
}

/// An ISO 3166-1 alpha-2 code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 2]);

impl Region {
    /// Takes `US`, `us` or `US-CO` (ISO 3166-2: the country counts). `UK` and `EL`, which the
    /// European Union writes, are `GB` and `GR`. `None` for anything else.
    pub fn new(text: &str) -> Option<Self> {
        let country = text.split_once('-').map_or(text, |(country, _)| country);
        let [a, b] = country.as_bytes() else { return None };
        let code = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
        code.iter().all(u8::is_ascii_uppercase).then_some(match &code {
            b"UK" => Self(*b"GB"),
            b"EL" => Self(*b"GR"),
            _ => Self(code),
        })
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything the gate may look at. There is no text in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The account that spoke.
    pub account: Tag,
    /// The app it spoke in.
    pub platform: Name,
    /// The conversation it spoke in.
    pub conversation: Tag,
    /// This turn: the key that makes a repeat harmless.
    pub event: Tag,
    /// Who wrote it.
    pub role: Role,
    /// To whom.
    pub audience: Audience,
    /// End-to-end encrypted?
    pub encrypted: bool,
    /// Typed, spoken or a picture's prompt.
    pub modality: Modality,
    /// The assistant, the glasses, …
    pub product: Name,
    /// When it was said, not when it arrived.
    pub at: Timestamp,
}

/// Words that somebody said. They can be moved, read by the stage that may, and dropped; nothing
/// else: no Debug, Display, Clone or Serialize. The memory is wiped on drop.
pub struct Words(String);

impl Words {
    /// Takes the words in.
    pub fn new(words: String) -> Self {
        Self(words)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// One earlier message of the conversation.
pub struct Message {
    /// Who wrote it.
    pub role: Role,
    /// What.
    pub words: Words,
}

/// One turn of a chat, not yet allowed anywhere.
pub struct Turn {
    /// The facts.
    pub facts: Facts,
    /// The words.
    pub words: Words,
    /// The few messages before it, oldest first.
    pub context: Vec<Message>,
}
