//! Conversations as public collections have them → a log of events, for load and for trying out.
//!
//! Accounts, notices and links are made up by rule, so that the same file always gives the same
//! log: three conversations an account, two accounts a person, all in a region where chats may be
//! used, all told in October 2025; one turn a minute from 17 December 2025 on.

use crate::lines::{Lines, open};
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// Messages that are given as context of a turn.
const CONTEXT: usize = 3;

#[derive(Deserialize)]
struct Conversation {
    id: String,
    turns: Vec<Message>,
    #[serde(default)]
    lang: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    text: String,
}

/// Writes the log of a file of conversations.
///
/// # Errors
/// When the file cannot be read, a line is no conversation, or the log cannot be written.
pub fn convert(file: &Path, out: &mut impl Write) -> Result<()> {
    let source = open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut lines = Lines::new(source);
    let mut number = 0i64;
    while let Some(chunk) = lines.next_chunk()? {
        for (at, line) in (chunk.first_line..).zip(chunk.bytes.split(|b| *b == b'\n')) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let conversation: Conversation = serde_json::from_slice(line).map_err(|_| {
                anyhow::anyhow!("line {at}: expected {{id, turns [{{role, text}}]}}")
            })?;
            write_conversation(&conversation, number, out)?;
            number += 1;
        }
    }
    Ok(())
}

fn write_conversation(
    conversation: &Conversation,
    number: i64,
    out: &mut impl Write,
) -> Result<()> {
    // 2025-12-17T00:00:00Z, and a minute a conversation.
    let begins = 1_765_929_600 + number * 60;
    let time = |second: i64| jiff::Timestamp::from_second(second).map(|at| at.to_string());
    let (account, first) = (number / 3, number % 3 == 0);
    let platform = if account % 2 == 0 { "whatsapp" } else { "facebook" };
    let name = format!("{platform}:{account}");
    if first {
        let language = conversation.lang.as_deref().unwrap_or("en");
        let language = crate::events::primary_language(language).unwrap_or_else(|| "en".to_owned());
        let known = [
            json!({"type": "account", "at": "2025-10-01T00:00:00Z", "account": name, "region": "US",
                   "language": language, "birth_date": "1990-05-17"}),
            json!({"type": "notice", "at": "2025-10-07T12:00:00Z", "account": name,
                   "notice": "ai-chats", "version": "1", "channel": "in_app",
                   "delivered": "2025-10-07T12:00:00Z"}),
        ];
        for event in known {
            writeln!(out, "{event}")?;
        }
        if account % 2 == 1 {
            let accounts = [format!("whatsapp:{}", account - 1), name.clone()];
            writeln!(
                out,
                "{}",
                json!({"type": "link", "at": "2025-10-08T00:00:00Z", "accounts": accounts})
            )?;
        }
    }
    for (at, message) in conversation.turns.iter().enumerate() {
        if message.role != "user" {
            continue;
        }
        let context: Vec<_> = conversation.turns[at.saturating_sub(CONTEXT)..at]
            .iter()
            .map(|before| json!({"role": before.role, "text": before.text}))
            .collect();
        let event = json!({
            "type": "turn", "at": time(begins + at as i64)?, "account": name,
            "conversation": conversation.id, "turn": at.to_string(), "role": "user",
            "audience": "assistant", "encrypted": false, "modality": "text",
            "product": "assistant", "text": message.text, "context": context,
        });
        writeln!(out, "{event}")?;
    }
    Ok(())
}
