//! The tools, which list and add notes of the user who calls them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ErrorData, schemars, tool, tool_router};
use serde::Deserialize;
use tower_jwt_auth::{Principal, RegisteredClaims, VerifiedToken};

/// The maximum number of users, and of notes for each user.
const MOST: usize = 100;

/// The notes of all users.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<HashMap<Principal, Vec<String>>>>);

#[derive(Deserialize, schemars::JsonSchema)]
struct NewNote {
    /// The text of the note
    text: String,
}

#[tool_router(server_handler)]
impl Notes {
    #[tool(description = "Lists your notes", annotations(read_only_hint = true))]
    fn list_notes(&self, Extension(head): Extension<Parts>) -> Result<String, ErrorData> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = notes.get(&caller(&head)?).map(Vec::as_slice).unwrap_or_default();
        Ok(format!("{} notes: {}", own.len(), own.join("; ")))
    }

    #[tool(description = "Adds a note")]
    fn add_note(
        &self,
        Parameters(note): Parameters<NewNote>,
        Extension(head): Extension<Parts>,
    ) -> Result<String, ErrorData> {
        let caller = caller(&head)?;
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= MOST && !notes.contains_key(&caller) {
            return Err(ErrorData::internal_error("no more users", None));
        }
        let subject = caller.subject().to_owned();
        let own = notes.entry(caller).or_default();
        if own.len() >= MOST {
            return Err(ErrorData::internal_error("no more notes", None));
        }
        own.push(note.text);
        Ok(format!("noted for {subject}"))
    }
}

/// Returns the user who calls a tool. The layer has put the verified token into the extensions of the HTTP request, and
/// `rmcp` passes the head of that request to the tool.
fn caller(head: &Parts) -> Result<Principal, ErrorData> {
    let token = VerifiedToken::<RegisteredClaims>::from_extensions(&head.extensions)
        .map_err(|_| ErrorData::internal_error("no authentication", None))?;
    Principal::of(token).ok_or_else(|| ErrorData::internal_error("the token names nobody", None))
}
