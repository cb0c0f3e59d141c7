//! Lines of a file that somebody else may have filled, in bounded memory.

use std::io::{self, BufRead, Read};

/// No row is longer, its end included.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// What stands next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line; its bytes are in the buffer, without the line end.
    Whole,
    /// A line that is longer than any row.
    TooLong,
    /// The rest of the file, which has no line end.
    Unfinished,
}

/// Reads one line into `buffer`; nothing at the end of the file.
pub(super) fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Option<Line>> {
    buffer.clear();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    if reader.by_ref().take(limit).read_until(b'\n', buffer)? == 0 {
        return Ok(None);
    }
    if buffer.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(Line::Whole));
    }
    if buffer.len() < MAX_LINE {
        return Ok(Some(Line::Unfinished));
    }
    Ok(Some(if skip_line(reader)? { Line::TooLong } else { Line::Unfinished }))
}

/// Skips to behind the next line end; false if there is none.
fn skip_line(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(false);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(chunk.len(), |at| at + 1);
        reader.consume(read);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_too_long_or_unfinished() {
        let long = "x".repeat(MAX_LINE);
        let fits = "x".repeat(MAX_LINE - 1);
        let text = format!("one\n\n{fits}\n{long}\ntwo\nrest");
        let mut reader = io::BufReader::with_capacity(1000, text.as_bytes());
        let mut buffer = Vec::new();
        let mut seen = Vec::new();
        while let Some(line) = next_line(&mut reader, &mut buffer).unwrap() {
            assert!(buffer.len() <= MAX_LINE);
            seen.push((line, buffer.len()));
        }
        let lens: Vec<_> = [(Line::Whole, 3), (Line::Whole, 0), (Line::Whole, MAX_LINE - 1)].into();
        assert_eq!(seen[..3], lens);
        assert_eq!(seen[3].0, Line::TooLong);
        assert_eq!(seen[4..], [(Line::Whole, 3), (Line::Unfinished, 4)]);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut reader = io::BufReader::new(io::repeat(b'x').take(50_000_000));
        let mut buffer = Vec::new();
        assert_eq!(next_line(&mut reader, &mut buffer).unwrap(), Some(Line::Unfinished));
        assert!(buffer.capacity() <= 2 * MAX_LINE, "{}", buffer.capacity());
    }
}
