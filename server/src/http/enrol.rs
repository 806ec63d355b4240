//! How a phone becomes somebody's and comes to its tokens. The bodies are in
//! [`onscene_sync_core::enrolment::message`].
//!
//! `POST /v1/people/{id}/enrolment-codes`, `POST /v1/enrol`, `POST /v1/token`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use onscene_sync_core::enrolment::message::{
    AccessToken, EnrolReply, EnrolRequest, Invitation, Phone, Protocols, TokenRequest,
};
use onscene_sync_core::enrolment::{EnrolmentCode, check_words};
use onscene_sync_core::id::{DeviceId, Hash, PersonId};
use onscene_sync_core::sync::version;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{JsonBody, PathOf};
use super::idempotency::Created;
use super::{Problem, people};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::auth::enrol::{self, CODE_LIFETIME_MS, Enrolled, NewCode, Redeem, Redeemed};
use crate::auth::jwk::DeviceKey;
use crate::auth::refresh::{self, Refresh};
use crate::auth::token::{LIFETIME_S, Subject};
use crate::auth::{Access, Action, Proven, Routes, Viewer};
use crate::random;
use crate::store::Tx;

/// Draws of a code before giving up on finding a free one.
const DRAWS: usize = 8;
/// Characters of a phone's model.
const MODEL_CHARS: usize = 100;
/// Characters of an app's version.
const VERSION_CHARS: usize = 40;

/// The routes of this resource.
pub fn routes() -> Routes {
    Routes::new()
        .post("/v1/people/{id}/enrolment-codes", Access::May(Action::EnrolPhones), invite)
        .about("Issues a one-time code for a person's phone. It is shown once.")
        .post("/v1/enrol", Access::Handshake, enrol)
        .about("Enrols the phone whose key is proven, with a code.")
        .with(|operation| operation.may_refuse(&[403, 409]))
        .post("/v1/token", Access::Handshake, token)
        .about("Issues an access token for the phone whose key is proven.")
        .with(|operation| operation.may_refuse(&[403]))
}

/// `POST /v1/people/{id}/enrolment-codes`: shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuedCode {
    /// For typing.
    pub code: EnrolmentCode,
    /// When it ends.
    pub expires_at: Millis,
    /// For scanning.
    pub qr: Invitation,
}

async fn invite(
    State(app): State<App>,
    viewer: Viewer,
    PathOf(id): PathOf<PersonId>,
) -> Result<Created<IssuedCode>, Problem> {
    for _ in 0..DRAWS {
        let code = EnrolmentCode::from_random(random::bytes(&*app.random));
        let new = NewCode {
            person: id,
            issued_by: viewer.person,
            at: app.now(),
            selector: code.selector(),
            hash: app.auth.code_hash(&code),
        };
        let input = (viewer.clone(), new);
        let stored = app.store.with_tx("enrol.invite", input, |tx, (viewer, new)| {
            Box::pin(async move { store_code(tx, viewer, new).await })
        });
        if stored.await? {
            let qr = Invitation {
                url: app.config.http.public_url.trim_end_matches('/').to_owned(),
                code: code.to_string(),
                hub_key: hub_key(&app),
            };
            let expires_at = app.now().plus(CODE_LIFETIME_MS);
            return Ok(Created(IssuedCode { code, expires_at, qr }));
        }
    }
    Err(Problem::busy("too many enrolment codes are open: wait until some have ended"))
}

async fn store_code(tx: &mut Tx, viewer: &Viewer, new: &NewCode) -> Result<bool, Problem> {
    let person = people::require_locked(tx, new.person).await?;
    viewer.may_keep_phones(Action::EnrolPhones, person.unit, person.role)?;
    if person.closed_at.is_some() {
        return Err(people::has_left());
    }
    if !person.role.carries_phone() {
        return Err(Problem::new(StatusCode::CONFLICT, "no_phone", "This person needs no phone")
            .detail(format!("people with the role `{}` work at a desk", person.role)));
    }
    let entry = Entry::new(Deed::CodeIssued, new.at).by(viewer.person).to(new.person.as_bytes());
    audit::note(tx, &[entry]).await?;
    Ok(enrol::insert_code(tx, new).await?)
}

async fn enrol(
    State(app): State<App>,
    Proven(key): Proven,
    JsonBody(body): JsonBody<EnrolRequest>,
) -> Result<([(header::HeaderName, HeaderValue); 1], Json<EnrolReply>), Problem> {
    check_phone(&body.phone)?;
    let code = EnrolmentCode::parse(&body.code).map_err(|_| enrol::bad_code())?;
    let refresh_token = refresh::token_text(random::bytes(&*app.random));
    let redeem = Redeem {
        code,
        hash: app.auth.code_hash(&code),
        key,
        phone: body.phone,
        replace: body.replace,
        device: new_device_id(&app),
        refresh: refresh::token_hash(&refresh_token),
        at: app.now(),
    };
    let redeemed = app.store.with_tx("enrol.redeem", redeem, |tx, redeem| {
        Box::pin(async move { Ok::<_, Problem>(enrol::redeem(tx, redeem).await?) })
    });
    let enrolled = match redeemed.await? {
        Redeemed::Enrolled(enrolled) => *enrolled,
        Redeemed::BadCode => return Err(enrol::bad_code()),
        Redeemed::Blocked => return Err(enrol::blocked()),
        Redeemed::HasPhone => return Err(has_phone()),
        Redeemed::KnownKey => return Err(known_key()),
    };
    tracing::info!(device = %enrolled.device, "phone enrolled");
    Ok((no_store(), Json(reply(&app, &code, &key, enrolled, refresh_token))))
}

async fn token(
    State(app): State<App>,
    Proven(key): Proven,
    JsonBody(body): JsonBody<TokenRequest>,
) -> Result<([(header::HeaderName, HeaderValue); 1], Json<AccessToken>), Problem> {
    let refresh = Refresh { hash: refresh::token_hash(&body.refresh_token), key, at: app.now() };
    let used = app.store.with_tx("enrol.token", refresh, |tx, refresh| {
        Box::pin(async move { Ok::<_, Problem>(refresh::use_token(tx, refresh).await?) })
    });
    let (device, person) = used.await?.ok_or_else(bad_refresh_token)?;
    Ok((no_store(), Json(access(&app, device, person, &key))))
}

fn check_phone(phone: &Phone) -> Result<(), Problem> {
    let fits = |text: &str, most| {
        let length = text.chars().count();
        (1..=most).contains(&length) && !text.chars().any(char::is_control)
    };
    if fits(&phone.model, MODEL_CHARS) && fits(&phone.app_version, VERSION_CHARS) {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "`phone.model` has 1 to {MODEL_CHARS} characters, `phone.app_version` 1 to {VERSION_CHARS}, \
         none of them control characters"
    )))
}

/// Never all zero nor all ones: those are the genesis change's and the hub's.
fn new_device_id(app: &App) -> DeviceId {
    let mut bytes: [u8; 8] = random::bytes(&*app.random);
    if bytes == [0; 8] || bytes == [0xff; 8] {
        bytes[0] = 1;
    }
    DeviceId::from_bytes(bytes)
}

fn reply(
    app: &App,
    code: &EnrolmentCode,
    key: &DeviceKey,
    enrolled: Enrolled,
    refresh_token: String,
) -> EnrolReply {
    EnrolReply {
        device: enrolled.device,
        install: 1,
        person: enrolled.person,
        person_name: enrolled.name,
        role: enrolled.role.as_str().to_owned(),
        unit: enrolled.unit,
        unit_name: enrolled.unit_name,
        check_words: check_words(key.point(), code).map(str::to_owned).to_vec(),
        hub_key: hub_key(app),
        protocols: Protocols { oldest: version::OLDEST, newest: version::CURRENT },
        refresh_token,
        access: access(app, enrolled.device, enrolled.person, key),
    }
}

fn access(app: &App, device: DeviceId, person: PersonId, key: &DeviceKey) -> AccessToken {
    let subject = Subject { person, device, key: key.thumbprint() };
    let at = app.now();
    AccessToken {
        access_token: app.auth.tokens.issue(&subject, at, random::bytes(&*app.random)),
        token_type: "DPoP".to_owned(),
        expires_in: LIFETIME_S,
        at,
        recovery: Some(app.keys.recovery_offer()),
    }
}

fn hub_key(app: &App) -> Hash {
    Hash::from_bytes(app.keys.facts.public_key())
}

fn no_store() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}

fn has_phone() -> Problem {
    Problem::new(StatusCode::CONFLICT, "has_phone", "This person has a phone")
        .detail("send `replace: true` to revoke that one; the code stays valid")
}

fn known_key() -> Problem {
    Problem::new(StatusCode::CONFLICT, "known_key", "This key is enrolled already")
        .detail("make a new key for every enrolment; the code stays valid")
}

fn bad_refresh_token() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "bad_refresh_token", "The refresh token is not taken")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"DPoP error="invalid_grant""#))
        .detail(
            "it is not this phone's, or lay unused for 30 days: enrol the phone anew; \
             what it holds stays on it",
        )
}
