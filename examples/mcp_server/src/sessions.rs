//! Sessions that belong to the user who started them. The session manager of `rmcp` does not see who sends a request,
//! so without this check a user who learns the ID of another user's session could read its messages.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_jwt_auth::{Principal, Rejection, VerifiedToken};

const SESSION_ID: &str = "mcp-session-id";

/// The maximum number of sessions for each user. An older one is forgotten, and its client starts a new one.
const MOST: usize = 8;

/// The IDs of each user's sessions.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<Principal, VecDeque<HeaderValue>>>>);

/// Refuses the sessions of other users like unknown ones: 404, after which a client starts a new session.
pub(crate) async fn only_own_sessions(
    State(Sessions(sessions)): State<Sessions>,
    token: VerifiedToken,
    request: Request,
    next: Next,
) -> Result<Response, Rejection> {
    let caller = Principal::of(&token).ok_or_else(Rejection::invalid_token)?;
    let is_own = |id| {
        let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&caller).is_some_and(|own| own.contains(id))
    };
    if !request.headers().get_all(SESSION_ID).iter().all(is_own) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let response = next.run(request).await;
    if let Some(id) = response.headers().get(SESSION_ID).cloned() {
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let own = sessions.entry(caller).or_default();
        if own.len() >= MOST {
            own.pop_front();
        }
        own.push_back(id);
    }
    Ok(response)
}
