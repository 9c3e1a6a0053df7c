//! A bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;

/// How far a log was taken in.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for a file; hidden unless it is wanted and standard error is a terminal.
    pub fn new(file: &Path, wanted: bool) -> Self {
        if !wanted || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let gzip = file.extension().is_some_and(|end| end == "gz");
        let length = std::fs::metadata(file).map(|file| file.len()).ok().filter(|_| !gzip);
        let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// So many bytes are done, with so many more lines.
    pub fn reach(&self, bytes: u64, lines: u64) {
        self.bar.set_position(bytes);
        self.bar.set_message(format!("+{lines} lines"));
    }

    /// The end.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
