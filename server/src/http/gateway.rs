//! What the gateway for text messages calls.
//!
//! | request | body |
//! |---|---|
//! | `POST /v1/messages/receipts` | [`Receipt`] |
//! | `POST /v1/messages/inbound` | [`Inbound`] |
//!
//! Both are signed with the shared key ([`signature`](crate::messages::gateway::signature)), and answered
//! with 204. A call that was not answered may be made again, signed anew; the same signature is taken
//! once. Nothing of a body is repeated in an answer.

use axum::body::Body;
use axum::extract::{FromRequest as _, State};
use axum::http::{Request, StatusCode};
use axum::response::NoContent;
use onscene_sync_core::id::MessageId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Problem;
use super::extract::BodyBytes;
use crate::app::App;
use crate::auth::{Access, Routes};
use crate::cases::CaseError;
use crate::messages::gateway::http::{Answer, GatewayState};
use crate::messages::gateway::signature::Signer;
use crate::messages::reply::{self, Incoming};
use crate::messages::standing;
use crate::poke::Poke;
use crate::store::{StoreError, Tx};
use crate::vault::reply::Reply;

/// Characters of a reference of the gateway's.
const REFERENCE_CHARS: usize = 100;
/// Characters of a number.
const NUMBER_CHARS: usize = 40;
/// Characters of a reply: ten parts.
const REPLY_CHARS: usize = 1_600;

/// The routes of this resource. The signature is checked here.
pub fn routes() -> Routes {
    Routes::new()
        .post("/v1/messages/receipts", Access::Open, receipt)
        .about("Takes a receipt of the gateway, signed with the shared key (RFC 9421).")
        .with(|operation| {
            operation.takes_json::<Receipt>();
            operation.may_refuse(&[400, 401, 404, 413]);
        })
        .post("/v1/messages/inbound", Access::Open, inbound)
        .about("Takes a reply from the gateway, signed with the shared key (RFC 9421).")
        .with(|operation| {
            operation.takes_json::<Inbound>();
            operation.may_refuse(&[400, 401, 413]);
        })
}

/// `POST /v1/messages/receipts`. It may hold more, which is not read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The message.
    pub message: MessageId,
    /// How it stands.
    pub state: GatewayState,
    /// A word why it failed, as `absent`.
    #[serde(default)]
    pub reason: String,
}

/// `POST /v1/messages/inbound`. It may hold more, which is not read.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct Inbound {
    /// The gateway's id of it, by which it is known when it comes again.
    pub id: String,
    /// The number that it came from.
    pub from: String,
    /// What it says.
    pub text: String,
    /// The message that it answers, if the gateway knows.
    #[serde(default)]
    pub in_reply_to: Option<MessageId>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inbound(…)")
    }
}

/// A call whose signature was checked.
struct Signed<T> {
    nonce: Vec<u8>,
    body: T,
}

async fn receipt(State(app): State<App>, request: Request<Body>) -> Result<NoContent, Problem> {
    let Signed { nonce, body } = signed::<Receipt>(&app, request).await?;
    let answer = Answer { state: body.state, reason: body.reason };
    let input = (app.clone(), nonce, body.message, answer.standing());
    let taken = app.store.with_tx("messages.receipt", input, |tx, (app, nonce, id, standing)| {
        Box::pin(async move {
            once(tx, app, nonce).await?;
            let taken = standing::take(tx, app, *id, standing).await?;
            taken.ok_or_else(|| {
                let title = "There is no such message";
                Problem::new(StatusCode::NOT_FOUND, "unknown_message", title)
                    .detail("the hub has sent no message of this id")
            })
        })
    });
    ring(&app, taken.await?);
    Ok(NoContent)
}

async fn inbound(State(app): State<App>, request: Request<Body>) -> Result<NoContent, Problem> {
    let Signed { nonce, body } = signed::<Inbound>(&app, request).await?;
    let Inbound { id, from, text, in_reply_to } = body;
    let bounds = [
        ("id", id.chars().count(), REFERENCE_CHARS),
        ("from", from.chars().count(), NUMBER_CHARS),
        ("text", text.chars().count(), REPLY_CHARS),
    ];
    for (field, length, most) in bounds {
        if length > most || field != "text" && length == 0 {
            let detail = format!("`{field}` has 1 to {most} characters");
            return Err(Problem::invalid(detail).with("field", field));
        }
    }
    // A reference could hold a number: it is kept as a hash that tells nothing to others.
    let reference = app.keys.vault.fingerprint(id.as_bytes());
    let reference = reference.iter().map(|byte| format!("{byte:02x}")).collect();
    let incoming = Incoming::new(&app, reference, in_reply_to, &Reply { from, text });
    let input = (app.clone(), nonce, incoming);
    let taken = app.store.with_tx("messages.inbound", input, |tx, (app, nonce, incoming)| {
        Box::pin(async move {
            once(tx, app, nonce).await?;
            reply::take(tx, app, incoming).await.map_err(|error: CaseError| Problem::from(error))
        })
    });
    ring(&app, taken.await?);
    Ok(NoContent)
}

/// Reads a call and checks its signature.
async fn signed<T: DeserializeOwned>(
    app: &App,
    request: Request<Body>,
) -> Result<Signed<T>, Problem> {
    if app.gateway.is_none() {
        return Err(unsigned("no gateway is configured here"));
    }
    let (parts, body) = request.into_parts();
    if parts.uri.query().is_some() {
        return Err(unsigned("the address has no query: it would not be signed"));
    }
    let request = Request::from_parts(parts.clone(), body);
    let BodyBytes(bytes) = BodyBytes::from_request(request, &()).await?;
    let signer = Signer::new(&app.config.sms);
    let method = parts.method.as_str();
    let nonce = signer
        .verify(method, parts.uri.path(), &parts.headers, &bytes, app.now())
        .map_err(|why| unsigned(&why.to_string()))?;
    // What is wrong with a body is not said in its own words: they may hold a number.
    let body = serde_json::from_slice(&bytes).map_err(|_| {
        Problem::invalid("the body is not of the form that the API's description gives")
    })?;
    Ok(Signed { nonce, body })
}

/// Takes a signature once.
async fn once(tx: &mut Tx, app: &App, nonce: &[u8]) -> Result<(), Problem> {
    const SQL: &str = "INSERT INTO gateway_nonce (nonce, taken_at) VALUES ($1, $2) \
         ON CONFLICT (nonce) DO NOTHING";
    let query = sqlx::query(SQL).bind(nonce.to_vec()).bind(app.now().0);
    let taken = query.execute(tx.conn()).await.map_err(StoreError::from)?;
    if taken.rows_affected() == 0 {
        return Err(unsigned("the signature was used before: sign each call anew"));
    }
    Ok(())
}

fn unsigned(why: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", "The call is not signed as it must be")
        .detail(why)
}

fn ring(app: &App, pokes: Vec<Poke>) {
    pokes.into_iter().for_each(|poke| app.pokes.ring(poke));
    app.jobs.wake();
}
