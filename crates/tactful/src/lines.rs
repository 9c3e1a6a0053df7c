//! A log as chunks of whole lines: bounded memory, whatever the file holds.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// A longer line is reported and skipped.
pub const LONGEST_LINE: usize = 1 << 20;

/// Bytes that are read before a chunk is handed on.
const CHUNK: usize = 256 << 10;

/// Whole lines, with where they stand.
pub struct Chunk {
    /// The number of the first line, from 1.
    pub first_line: u64,
    /// Bytes of the log up to the end of this chunk.
    pub end: u64,
    /// The lines with their line ends; the memory is wiped on drop. A line that was too long is
    /// an empty line here, so that the numbers hold.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The numbers of lines that were too long.
    pub too_long: Vec<u64>,
}

/// Reads a log chunk by chunk.
pub struct Lines<R> {
    source: R,
    line: u64,
    offset: u64,
    rest: Zeroizing<Vec<u8>>,
    done: bool,
}

/// Opens a log; gzip is recognised by its first bytes. `-` is standard input.
///
/// # Errors
/// When it cannot be opened or read.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let file: Box<dyn Read + Send> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    let mut buffered = BufReader::with_capacity(CHUNK, file);
    let gzip = buffered.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(match gzip {
        true => Box::new(MultiGzDecoder::new(buffered)),
        false => Box::new(buffered),
    })
}

impl<R: Read> Lines<R> {
    /// Reads lines from a source.
    pub fn new(source: R) -> Self {
        Self { source, line: 1, offset: 0, rest: Zeroizing::default(), done: false }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut bytes = std::mem::take(&mut self.rest);
        let mut too_long = Vec::new();
        let mut consumed = 0u64;
        while !self.done {
            let before = bytes.len();
            bytes.reserve(CHUNK);
            let read = (&mut self.source).take(CHUNK as u64).read_to_end(&mut bytes)?;
            self.done = read == 0;
            if let Some(last) = memchr::memrchr(b'\n', &bytes[before..]) {
                self.rest = Zeroizing::new(bytes[before + last + 1..].to_vec());
                bytes.truncate(before + last + 1);
                break;
            }
            if bytes.len() > LONGEST_LINE {
                too_long.push(self.line);
                consumed += bytes.len() as u64 + self.skip_line()?;
                bytes = Zeroizing::new(vec![b'\n']);
                consumed -= 1;
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        consumed += bytes.len() as u64;
        self.offset += consumed;
        let first_line = self.line;
        // A last line without its line end is a line too.
        self.line += lines + u64::from(bytes.last() != Some(&b'\n'));
        for (number, line) in (first_line..).zip(bytes.split(|b| *b == b'\n')) {
            if line.len() > LONGEST_LINE {
                too_long.push(number);
            }
        }
        Ok(Some(Chunk { first_line, end: self.offset, bytes, too_long }))
    }

    /// Drops the rest of a line; gives how many bytes that were.
    fn skip_line(&mut self) -> io::Result<u64> {
        let mut skipped = 0u64;
        let mut buffer = Zeroizing::new(vec![0; CHUNK]);
        loop {
            let read = self.source.read(&mut buffer)?;
            if read == 0 {
                self.done = true;
                return Ok(skipped);
            }
            if let Some(end) = memchr::memchr(b'\n', &buffer[..read]) {
                self.rest = Zeroizing::new(buffer[end + 1..read].to_vec());
                return Ok(skipped + end as u64 + 1);
            }
            skipped += read as u64;
        }
    }
}
