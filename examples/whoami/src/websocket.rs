//! `--websocket`: a connection that answers each message with the claims.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::time::timeout;
use tower_jwt_auth::{Clock, NumericDate, SystemClock, VerifiedToken};

use crate::Answer;
use crate::flags::Flags;
use crate::verifier::Claims;

/// The server reserves the memory for a frame when it has read the frame's header.
const LONGEST_MESSAGE: usize = 32 * 1024;

/// For the last message. A client that has stopped reading does not take it.
const CLOSING: Duration = Duration::from_secs(5);

/// The codes from 4000 to 4999 are the application's (RFC 6455 section 7.4.2).
const NOT_AUTHENTICATED: u16 = 4401;

/// When connections end.
#[derive(Clone, Copy)]
pub(crate) struct Sessions {
    end_at_expiry: bool,
    clock: Option<NumericDate>,
}

impl Sessions {
    pub(crate) fn new(flags: &Flags) -> Self {
        Self {
            end_at_expiry: flags.end_at_expiry,
            clock: flags.clock.map(NumericDate::from_unix_seconds),
        }
    }

    /// Opens the connection of a WebSocket handshake. Any other request gets the claims.
    pub(crate) async fn claims(
        self,
        token: Option<VerifiedToken<Claims>>,
        upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ) -> Response {
        let Ok(upgrade) = upgrade else { return crate::claims(token).await };
        let mut upgrade = upgrade.max_message_size(LONGEST_MESSAGE).max_frame_size(LONGEST_MESSAGE);
        // The one of the token is not among them. A browser wants one of the others to be selected.
        let other = upgrade.requested_protocols().next().cloned();
        if let Some(protocol) = other {
            upgrade.set_selected_protocol(protocol);
        }
        upgrade.on_upgrade(move |socket| self.serve(socket, token))
    }

    /// Answers until the token expires, also if the client does not read the answers.
    async fn serve(self, mut socket: WebSocket, token: Option<VerifiedToken<Claims>>) {
        let left = token.as_ref().and_then(|token| self.time_left(token));
        let answers = answer(&mut socket, token.as_ref());
        let Some(left) = left else { return answers.await };
        if timeout(left, answers).await.is_err() {
            let reason = "the token has expired".into();
            let frame = CloseFrame { code: NOT_AUTHENTICATED, reason };
            // The client may be gone already.
            let _ = timeout(CLOSING, socket.send(Message::Close(Some(frame)))).await;
        }
    }

    /// `None` if the connection does not end with the token.
    fn time_left(self, token: &VerifiedToken<Claims>) -> Option<Duration> {
        let end = VerifiedToken::refused_from(token).filter(|_| self.end_at_expiry);
        let end = end?.to_system_time()?;
        let now = self.clock.unwrap_or_else(|| SystemClock.now()).to_system_time()?;
        Some(end.duration_since(now).unwrap_or_default())
    }
}

async fn answer(socket: &mut WebSocket, token: Option<&VerifiedToken<Claims>>) {
    let Ok(answer) = serde_json::to_string(&Answer::new(token)) else { return };
    while let Some(Ok(message)) = socket.recv().await {
        let is_asked = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_asked && socket.send(Message::Text(answer.as_str().into())).await.is_err() {
            return;
        }
    }
}
