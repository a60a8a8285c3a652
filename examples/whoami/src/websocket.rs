//! `--websocket`: a connection that answers each message with the claims.

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tower_jwt_auth::VerifiedToken;

use crate::Answer;
use crate::verifier::Claims;

/// Opens the connection of a WebSocket handshake. Any other request gets the claims.
pub(crate) async fn claims(
    token: Option<VerifiedToken<Claims>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(mut upgrade) = upgrade else { return crate::claims(token).await };
    // The one of the token is not among them. A browser wants one of the others to be selected.
    let other = upgrade.requested_protocols().next().cloned();
    if let Some(protocol) = other {
        upgrade.set_selected_protocol(protocol);
    }
    upgrade.on_upgrade(|socket| answer(socket, token))
}

async fn answer(mut socket: WebSocket, token: Option<VerifiedToken<Claims>>) {
    let Ok(answer) = serde_json::to_string(&Answer::new(token.as_ref())) else { return };
    while let Some(Ok(message)) = socket.recv().await {
        let is_asked = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_asked && socket.send(Message::Text(answer.as_str().into())).await.is_err() {
            return;
        }
    }
}
