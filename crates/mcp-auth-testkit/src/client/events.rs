//! Reads an event stream (`text/event-stream` of the HTML standard).

use http_body_util::BodyExt;
use mcp_core::Body;

use super::request::PATIENCE;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Event {
    /// Its type, empty where the stream does not say.
    pub name: String,
    /// Its data, lines joined by line feeds.
    pub data: String,
    /// Its id, empty where the stream does not say.
    pub id: String,
}

/// An event stream being read. Dropping it closes the connection.
#[derive(Debug)]
pub struct Events {
    body: Body,
    buffer: Vec<u8>,
    comments: usize,
}

impl Events {
    pub(super) fn new(body: Body) -> Self {
        Self { body, buffer: Vec::new(), comments: 0 }
    }

    /// How many comment lines (keep-alives) have gone by so far.
    #[must_use]
    pub fn comments(&self) -> usize {
        self.comments
    }

    /// The next event, or nothing when the stream has ended. An event without data is skipped, as browsers do.
    ///
    /// # Cancel safety
    /// What was read stays: the call may be dropped and made again.
    ///
    /// # Panics
    /// When nothing comes for 30 seconds.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(block) = self.block() {
                let event = self.read(&block);
                if !event.data.is_empty() {
                    return Some(event);
                }
            }
            let Ok(frame) = tokio::time::timeout(PATIENCE, self.body.frame()).await else {
                panic!("the event stream is silent");
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend(data.iter().filter(|byte| **byte != b'\r'));
                    }
                }
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn block(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|two| two == b"\n\n")?;
        let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&block).into_owned())
    }

    fn read(&mut self, block: &str) -> Event {
        let mut event = Event::default();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if !line.is_empty() => self.comments += 1,
                "event" => value.clone_into(&mut event.name),
                "id" => value.clone_into(&mut event.id),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                }
                _ => {}
            }
        }
        event
    }
}
