//! The tools: a book of notes. Nothing here knows how callers sign in.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mcp_auth_rmcp::Caller;
use mcp_core::{ClientId, Identity};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ErrorData, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;

/// A server of notes. They are gone when it ends.
pub(crate) struct Tools {
    notes: Mutex<Notes>,
    // Kept, because the macro's default would build it anew for every call.
    router: ToolRouter<Self>,
}

#[derive(Default)]
struct Notes {
    last: u64,
    texts: BTreeMap<u64, String>,
}

/// What the sign-in says of the owner.
#[derive(Deserialize)]
struct Owner {
    name: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct NewNote {
    /// What to write down.
    text: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Number {
    /// The number of the note.
    number: u64,
}

#[tool_router]
impl Tools {
    pub(crate) fn new() -> Self {
        Self { notes: Mutex::default(), router: Self::tool_router() }
    }

    #[tool(description = "Who is calling, by which client, and what may it do?")]
    async fn whoami(&self, Caller(owner): Caller<Owner>, Caller(caller): Caller<Identity>) -> String {
        format!(
            "{} ({}), by the client {}, with the scopes: {}",
            owner.name,
            caller.subject(),
            caller.client().map_or("(unnamed)", ClientId::as_str),
            caller.scopes()
        )
    }

    #[tool(description = "All notes, with their numbers.")]
    async fn list_notes(&self) -> String {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> =
            notes.texts.iter().map(|(number, text)| format!("{number}: {text}")).collect();
        if lines.is_empty() { "There are no notes yet.".to_owned() } else { lines.join("\n") }
    }

    #[tool(description = "Writes a note down.")]
    async fn add_note(&self, Parameters(NewNote { text }): Parameters<NewNote>) -> Result<String, ErrorData> {
        if text.len() > LONGEST {
            return Err(ErrorData::invalid_params("the note is too long", None));
        }
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.texts.len() >= MOST {
            return Err(ErrorData::invalid_params("the book is full: delete a note first", None));
        }
        notes.last += 1;
        let number = notes.last;
        notes.texts.insert(number, text);
        Ok(format!("That is note {number}."))
    }

    #[tool(description = "Deletes a note.")]
    async fn delete_note(
        &self,
        Parameters(Number { number }): Parameters<Number>,
    ) -> Result<String, ErrorData> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match notes.texts.remove(&number) {
            Some(_) => Ok(format!("Note {number} is gone.")),
            None => Err(ErrorData::invalid_params(format!("there is no note {number}"), None)),
        }
    }
}

#[tool_handler(router = self.router, name = "provider", version = "0.1.0")]
impl ServerHandler for Tools {}

/// The most notes there can be.
const MOST: usize = 1000;
/// The most bytes of a note.
const LONGEST: usize = 10_000;
