//! `GET /v1/live`: a WebSocket that says when a phone had better sync, and nothing else.
//!
//! Each binary message is a [`Poke`] as CBOR. Whoever misses one loses nothing: phones also sync by
//! the clock. The connection is closed within `RECHECK` of the phone's revocation.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use onscene_sync_core::id::UnitId;
use onscene_sync_core::sync::message::Poke;
use onscene_sync_core::sync::wire;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::sync::caller;
use super::{Problem, Slot};
use crate::app::App;
use crate::auth::{Access, Routes, Viewer, role_column};
use crate::hub::scope::Caller;
use crate::poke;
use crate::store::{RowExt as _, StoreError, Tx};

/// How often it is checked that the phone may still listen, and that it still answers.
const RECHECK: Duration = Duration::from_secs(30);
/// How long the phone may take to receive one message.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a message from the phone: it has nothing to say but answers to pings.
const INCOMING: usize = 256;
/// Bytes set aside for each connection to read into; its library's own choice is 128 KiB.
const READ_BUFFER: usize = 512;

/// Live connections that one phone may have: one, and those that it has lost and the hub has not
/// noticed yet.
const PER_PHONE: usize = 3;

/// The routes of this resource. Each connection lasts.
pub fn routes() -> Routes {
    Routes::new()
        .get("/v1/live", Access::Phone, live)
        .about("Opens a WebSocket (RFC 6455) that says when the phone had better sync; see the protocol.")
        .with(|operation| {
            operation.answers_nothing(101);
            operation.may_refuse(&[404, 405, 426]);
        })
}

async fn live(
    State(app): State<App>,
    viewer: Viewer,
    slot: Option<Extension<Slot>>,
    socket: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let caller = caller(&viewer)?;
    if viewer.seat.is_none_or(|seat| seat.revoked) {
        return Err(Problem::not_found("a revoked phone is told nothing"));
    }
    let place = app.listeners.join(caller.device, PER_PHONE).ok_or_else(too_many)?;
    let listener = app.pokes.listen();
    let socket =
        socket.max_message_size(INCOMING).max_frame_size(INCOMING).read_buffer_size(READ_BUFFER);
    Ok(socket.on_upgrade(move |socket| async move {
        metrics::gauge!("onscene_live_connections").increment(1);
        Live { app, caller, socket, answered: true }.run(listener).await;
        drop((slot, place));
        metrics::gauge!("onscene_live_connections").decrement(1);
    }))
}

fn too_many() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_live", "This phone listens already")
        .detail(format!("it has {PER_PHONE} live connections: close one, or wait a minute"))
        .retry_after(60)
}

struct Live {
    app: App,
    caller: Caller,
    socket: WebSocket,
    /// The phone has said something since the last check.
    answered: bool,
}

impl Live {
    async fn run(mut self, mut listener: tokio::sync::broadcast::Receiver<poke::Poke>) {
        let mut recheck = tokio::time::interval(RECHECK);
        recheck.tick().await;
        let mut stop = self.app.stopper.listen();
        loop {
            let goes_on = tokio::select! {
                heard = listener.recv() => self.pass_on(heard).await,
                said = self.socket.recv() => {
                    self.answered = true;
                    matches!(said, Some(Ok(message)) if !matches!(message, Message::Close(_)))
                }
                _ = recheck.tick() => self.check().await,
                () = stop.requested() => false,
            };
            if !goes_on {
                break;
            }
        }
    }

    /// Passes a poke on; after lost ones, pokes for everything that the phone follows.
    async fn pass_on(&mut self, heard: Result<poke::Poke, RecvError>) -> bool {
        let pokes: Vec<Poke> = match heard {
            Ok(poke::Poke { bucket, seq }) if self.caller.buckets.contains(&bucket) => {
                vec![Poke { bucket, seq }]
            }
            Ok(_) => Vec::new(),
            Err(RecvError::Lagged(_)) => {
                self.caller.buckets.iter().map(|bucket| Poke { bucket: *bucket, seq: 0 }).collect()
            }
            Err(RecvError::Closed) => return false,
        };
        for poke in pokes {
            if !self.send(Message::Binary(wire::encode(&poke).into())).await {
                return false;
            }
        }
        true
    }

    /// Whether the phone still answers and may still listen. It may follow other buckets by now.
    async fn check(&mut self) -> bool {
        if !std::mem::replace(&mut self.answered, false) {
            return false;
        }
        let read = self.app.store.with_read("live.check", self.caller.clone(), |tx, caller| {
            Box::pin(async move { still(tx, caller).await })
        });
        match read.await {
            Ok(Some(caller)) => self.caller = caller,
            Ok(None) => return false,
            // The database is away for a moment: the phone need not come back for that.
            Err(error) => tracing::warn!(%error, "a live connection could not be checked"),
        }
        self.send(Message::Ping(Vec::new().into())).await
    }

    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(PATIENCE, self.socket.send(message)).await, Ok(Ok(())))
    }
}

async fn still(tx: &mut Tx, caller: &Caller) -> Result<Option<Caller>, StoreError> {
    const SQL: &str = "SELECT p.role, p.unit_id FROM device d \
         JOIN person p ON p.person_id = d.person_id \
         WHERE d.device = $1 AND d.revoked_at IS NULL AND p.closed_at IS NULL";
    let query = sqlx::query(SQL).bind(&caller.device.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(None) };
    let unit = UnitId::from_bytes(row.array("unit_id")?);
    Ok(Some(Caller::new(caller.device, caller.person, role_column(&row)?, unit)))
}
