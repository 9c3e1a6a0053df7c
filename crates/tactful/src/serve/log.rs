//! The log: one JSON object a line on standard error. No line holds what a request names or says.

use serde_json::Value;
use std::io::Write;

/// Writes one line, whole. A log that cannot be written to stops nothing.
pub fn write(line: &Value) {
    let mut text = line.to_string();
    text.push('\n');
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
