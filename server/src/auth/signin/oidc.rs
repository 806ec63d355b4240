//! Sign-in through an OpenID Connect provider: authorization code with PKCE (RFC 7636), state and
//! nonce. The hub makes no people: an administrator says as whom the provider knows each.
//!
//! Nothing is stored of an attempt. Its state, nonce and verifier follow from the attempt's own
//! secret and the hub's keys; whoever began it holds the secret, and must bring it back with what
//! the provider answered. So nobody can finish an attempt in somebody else's browser.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreTokenResponse,
};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use super::SignIn;
use super::session::{self, Method};
use super::source::Source;
use super::throttle::{self, Counted};
use crate::app::App;
use crate::auth::credentials::role_column;
use crate::config;
use crate::problem::Problem;
use crate::random::{self, Random};
use crate::store::{RowExt as _, StoreError, Tx};

mod fetch;

use fetch::Fetch;

/// Milliseconds from the beginning of an attempt to its end.
const ATTEMPT_MS: i64 = 10 * 60_000;
/// Seconds by which the provider's clock may be ahead.
const AHEAD_S: i64 = 120;
/// How long a provider that could not be asked for its description is left alone.
const REST_MS: i64 = 5_000;
/// Bytes of what comes back from a browser, each part.
const BACK_BYTES: usize = 4_096;
/// Signatures that are taken: none with a shared secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 10] = [
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EcdsaP521Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The configured provider.
pub struct Provider {
    config: config::Oidc,
    issuer: IssuerUrl,
    fetch: Fetch,
    /// Its own description and keys, fetched when first needed and when a key is not among them.
    known: RwLock<Option<Arc<CoreProviderMetadata>>>,
    /// Held by the one who fetches them: when that last failed.
    failed: Mutex<Option<Millis>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What the provider's answer brought back through the browser.
#[derive(Debug, Clone)]
pub struct Back {
    /// The attempt's secret, from whoever began it.
    pub attempt: config::Secret,
    /// `state` of the answer.
    pub state: config::Secret,
    /// `code` of the answer.
    pub code: config::Secret,
    /// `iss` of the answer (RFC 9207), if it had one.
    pub iss: Option<String>,
}

impl Back {
    fn fits(&self) -> bool {
        let iss = self.iss.as_ref().map_or(0, String::len);
        [self.attempt.0.len(), self.state.0.len(), self.code.0.len(), iss]
            .iter()
            .all(|bytes| *bytes <= BACK_BYTES)
    }
}

impl SignIn {
    /// The secret of a new attempt: 128 random bits and its end, which only the hub can write.
    #[must_use]
    pub fn new_attempt(&self, random: &dyn Random, now: Millis) -> String {
        let mut attempt = random::bytes::<16>(random).to_vec();
        attempt.extend(now.plus(ATTEMPT_MS).0.to_be_bytes());
        let mac = self.keyed(b"oidc attempt", &attempt);
        attempt.extend(mac.as_bytes());
        URL_SAFE_NO_PAD.encode(attempt)
    }

    fn is_attempt(&self, attempt: &str, now: Millis) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(attempt) else { return false };
        let Some((body, mac)) = bytes.split_at_checked(24) else { return false };
        let Ok(end) = body[16..].try_into().map(i64::from_be_bytes) else { return false };
        let expected = self.keyed(b"oidc attempt", body);
        constant_time::verify_slices_are_equal(expected.as_bytes(), mac).is_ok() && now.0 < end
    }

    /// A value that follows from an attempt: 43 characters, as PKCE wants them.
    fn of_attempt(&self, purpose: &[u8], attempt: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.keyed(purpose, attempt.as_bytes()).as_bytes())
    }

    fn verifier(&self, attempt: &str) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.of_attempt(b"oidc verifier", attempt))
    }
}

impl Provider {
    /// The provider that the operator named; `None` when they named none.
    pub(super) fn new(config: &config::Oidc) -> Option<Self> {
        if config.issuer.is_empty() {
            return None;
        }
        let issuer = IssuerUrl::new(config.issuer.clone()).ok()?;
        let fetch = Fetch::new(issuer.url())?;
        Some(Self {
            config: config.clone(),
            issuer,
            fetch,
            known: RwLock::default(),
            failed: Mutex::default(),
        })
    }

    /// Where the person's browser goes.
    ///
    /// # Errors
    /// `provider_unreachable`.
    pub async fn address(&self, app: &App, attempt: &str) -> Result<String, Problem> {
        let auth = &app.auth.sign_in;
        let client = self.client(&*self.metadata(app).await?)?;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&auth.verifier(attempt));
        let state = CsrfToken::new(auth.of_attempt(b"oidc state", attempt));
        let nonce = Nonce::new(auth.of_attempt(b"oidc nonce", attempt));
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let scopes = self.config.scopes.split_whitespace().filter(|scope| *scope != "openid");
        let (address, _, _) = client
            .authorize_url(flow, move || state, move || nonce)
            .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        Ok(address.into())
    }

    /// As whom the provider knows the person who came back.
    ///
    /// # Errors
    /// `attempt_over` when it is not the answer to this attempt or comes late, `provider_refused`
    /// when the provider or its token are not right, `provider_unreachable`.
    pub async fn identity(&self, app: &App, back: &Back) -> Result<String, Problem> {
        let (auth, now) = (&app.auth.sign_in, app.now());
        let attempt = &back.attempt.0[..];
        let state = auth.of_attempt(b"oidc state", attempt);
        let answers = back.fits()
            && auth.is_attempt(attempt, now)
            && constant_time::verify_slices_are_equal(state.as_bytes(), back.state.0.as_bytes())
                .is_ok()
            && back.iss.as_ref().is_none_or(|iss| *iss == self.config.issuer);
        if !answers {
            return Err(attempt_over());
        }
        let metadata = self.metadata(app).await?;
        let token = self.exchange(&metadata, auth.verifier(attempt), &back.code.0).await?;
        let token = token.id_token().ok_or_else(|| refused("it gave no ID token"))?;
        let nonce = Nonce::new(auth.of_attempt(b"oidc nonce", attempt));
        match self.verify(&metadata, token, &nonce, now) {
            // The provider itself gave the token just now, so its keys may be newer than ours.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let metadata = self.fetched(Some(&metadata), app).await?;
                self.verify(&metadata, token, &nonce, now)
                    .map_err(|error| refused(&causes(&error)))?;
            }
            verified => verified.map_err(|error| refused(&causes(&error)))?,
        }
        self.claim(token)
    }

    async fn exchange(
        &self,
        metadata: &CoreProviderMetadata,
        verifier: PkceCodeVerifier,
        code: &str,
    ) -> Result<CoreTokenResponse, Problem> {
        let client = self.client(metadata)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| refused(&error))?;
        let answer = request.set_pkce_verifier(verifier).request_async(&self.fetch).await;
        answer.map_err(|error| match error {
            RequestTokenError::Request(error) => unreachable(&error),
            RequestTokenError::ServerResponse(error) => refused(error.error()),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                refused("its answer is not one to a code")
            }
        })
    }

    fn verify(
        &self,
        metadata: &CoreProviderMetadata,
        token: &CoreIdToken,
        nonce: &Nonce,
        now: Millis,
    ) -> Result<(), ClaimsVerificationError> {
        let now = DateTime::from_timestamp_millis(now.0).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let Ok(client) = self.client(metadata) else {
            return Err(ClaimsVerificationError::Other("the client is not set up".to_owned()));
        };
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now)
            .set_issue_time_verifier_fn(move |issued| {
                let ahead = issued > now + TimeDelta::seconds(AHEAD_S);
                if ahead { Err("issued in the future".to_owned()) } else { Ok(()) }
            });
        token.claims(&verifier, nonce).map(drop)
    }

    /// The configured claim of a token that was verified.
    fn claim(&self, token: &CoreIdToken) -> Result<String, Problem> {
        let name = &self.config.claim[..];
        let claims = claims_of(token).ok_or_else(|| refused("its token has no claims"))?;
        if name == "email" && claims["email_verified"] != Value::Bool(true) {
            return Err(refused("it has not verified the address"));
        }
        match claims[name].as_str() {
            Some(identity) if !identity.is_empty() => Ok(identity.to_owned()),
            _ => Err(refused("its token lacks the claim of `oidc.claim`")),
        }
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<Client, Problem> {
        let id = ClientId::new(self.config.client_id.clone());
        let secret = &self.config.client_secret.0;
        let secret = (!secret.is_empty()).then(|| ClientSecret::new(secret.clone()));
        let redirect = RedirectUrl::new(self.config.redirect_url.clone())
            .map_err(|error| Problem::internal(&error))?;
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret);
        Ok(client.set_redirect_uri(redirect))
    }

    async fn metadata(&self, app: &App) -> Result<Arc<CoreProviderMetadata>, Problem> {
        match self.known() {
            Some(known) => Ok(known),
            None => self.fetched(None, app).await,
        }
    }

    fn known(&self) -> Option<Arc<CoreProviderMetadata>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the description anew unless another one than `old` is there by now. One request asks while the
    /// others wait for its answer; a provider that gave none is left alone for a moment.
    async fn fetched(
        &self,
        old: Option<&Arc<CoreProviderMetadata>>,
        app: &App,
    ) -> Result<Arc<CoreProviderMetadata>, Problem> {
        let failed = self.failed.lock().await;
        let newer = |known: &Arc<_>| old.is_none_or(|old| !Arc::ptr_eq(old, known));
        if let Some(known) = self.known().filter(newer) {
            return Ok(known);
        }
        // Of this moment: it may have failed long after this request came.
        if failed.is_some_and(|failed| app.now().since(failed).abs() < REST_MS) {
            return Err(resting());
        }
        let mut asking = Asking { failed, app, found: false };
        match CoreProviderMetadata::discover_async(self.issuer.clone(), &self.fetch).await {
            Ok(found) => {
                let found = Arc::new(found);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) =
                    Some(Arc::clone(&found));
                asking.found = true;
                Ok(found)
            }
            Err(error) => Err(unreachable(&error)),
        }
    }
}

/// Dropped when the asking is over, also when whoever asked went away: notes when it failed.
struct Asking<'a> {
    failed: MutexGuard<'a, Option<Millis>>,
    app: &'a App,
    found: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        *self.failed = (!self.found).then(|| self.app.now());
    }
}

fn claims_of(token: &CoreIdToken) -> Option<Value> {
    let token = token.to_string();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Begins the session of `token` for the person who came back. Counts as a try of the address.
///
/// # Errors
/// Those of [`Provider::identity`], `unknown_identity`, `too_many_tries`, the database's.
pub async fn sign_in(
    app: &App,
    back: Back,
    source: Source,
    token: Hash,
) -> Result<PersonId, Problem> {
    let auth = &app.auth.sign_in;
    let provider = auth.oidc.as_ref().ok_or_else(no_provider)?;
    let counted = throttle::begin(app, &auth.tries(None, None, source)).await?;
    let begun = begin(app, provider, &back, (token, counted.clone())).await;
    throttle::settle(app, counted, begun).await
}

async fn begin(
    app: &App,
    provider: &Provider,
    back: &Back,
    (token, counted): (Hash, Counted),
) -> Result<PersonId, Problem> {
    let identity = provider.identity(app, back).await?;
    let input = (app.clone(), identity, counted, token);
    let begun = app.store.with_tx("sign_in.oidc", input, |tx, (app, identity, counted, token)| {
        Box::pin(async move {
            let at = app.now();
            let person = person_of(tx, identity).await?.ok_or_else(|| unknown(identity))?;
            throttle::was_right(tx, counted, at).await?;
            let limits = &app.config.sign_in;
            session::begin(tx, limits, (person, Method::Oidc), *token, at).await?;
            Ok::<_, Problem>(person)
        })
    });
    begun.await
}

async fn person_of(tx: &mut Tx, identity: &str) -> Result<Option<PersonId>, StoreError> {
    // Locked, so that nobody is unlinked between being found here and having a session.
    let sql = format!(
        "SELECT p.person_id, p.role FROM identity i JOIN person p ON p.person_id = i.person_id \
         WHERE i.identity = $1 AND p.closed_at IS NULL{}",
        tx.engine().for_update()
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(identity);
    let row = query.fetch_optional(tx.conn()).await?;
    match row {
        Some(row) if role_column(&row)?.signs_in() => {
            Ok(Some(PersonId::from_bytes(row.array("person_id")?)))
        }
        _ => Ok(None),
    }
}

/// The answer where no provider is configured.
#[must_use]
pub fn no_provider() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_provider", "There is no identity provider")
        .detail("sign in with a password, or let the operator set `oidc.issuer`")
}

fn attempt_over() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "attempt_over", "This is not the answer to your attempt")
        .detail("it took longer than ten minutes, or belongs to another attempt: begin again")
}

fn refused(why: &(impl fmt::Display + ?Sized)) -> Problem {
    tracing::warn!(%why, "a sign-in through the identity provider was refused");
    Problem::new(StatusCode::FORBIDDEN, "provider_refused", "The provider's answer is not taken")
        .detail("begin again; if it stays so, the operator finds the reason in the hub's log")
}

/// An error with what is behind it.
fn causes(error: &dyn Error) -> String {
    let further = std::iter::successors(error.source(), |cause| (*cause).source());
    further.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn unreachable(error: &dyn Error) -> Problem {
    tracing::warn!(error = causes(error), "the identity provider cannot be used");
    resting()
}

/// The answer while the provider cannot be used.
fn resting() -> Problem {
    let title = "The identity provider cannot be used";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unreachable", title)
        .detail("try again, or sign in with a password")
        .retry_after(5)
}

fn unknown(identity: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "unknown_identity", "The hub does not know you")
        .detail("tell an administrator your `identity`, who links it to you")
        .with("identity", identity)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::extract::State;
    use axum::routing::get;
    use axum::{Json, Router};
    use futures_util::future::{join, join_all};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;
    use crate::auth::Auth;
    use crate::clock::ManualClock;
    use crate::store::testing::{TestStore, on_each_engine};

    /// A provider that is down and takes its time to fail.
    struct Dead {
        asked: AtomicUsize,
        reached: Notify,
        clock: ManualClock,
        takes_ms: i64,
    }

    impl Dead {
        fn asked(&self) -> usize {
            self.asked.load(Ordering::Relaxed)
        }
    }

    async fn fail(State(dead): State<Arc<Dead>>) -> StatusCode {
        dead.asked.fetch_add(1, Ordering::Relaxed);
        dead.clock.advance(dead.takes_ms);
        dead.reached.notify_one();
        tokio::time::sleep(Duration::from_millis(50)).await;
        StatusCode::BAD_GATEWAY
    }

    async fn dead(clock: &ManualClock, takes_ms: i64) -> (Provider, Arc<Dead>) {
        let (asked, reached) = (AtomicUsize::default(), Notify::new());
        let dead = Arc::new(Dead { asked, reached, clock: clock.clone(), takes_ms });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(fail).with_state(Arc::clone(&dead));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = config::Oidc { issuer, ..config::Oidc::default() };
        (Provider::new(&config).unwrap(), dead)
    }

    /// A provider that works, and how often it was asked to describe itself.
    async fn working() -> (Provider, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let described = json!({
            "authorization_endpoint": format!("{issuer}/begin"),
            "jwks_uri": format!("{issuer}/keys"),
            "issuer": issuer,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let asked = Arc::new(AtomicUsize::default());
        let describe = async |State((asked, described)): State<(Arc<AtomicUsize>, Value)>| {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Json(described)
        };
        let keys = async || Json(json!({ "keys": [] }));
        let router = Router::new().route("/keys", get(keys)).fallback(describe);
        let router = router.with_state((Arc::clone(&asked), described));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = config::Oidc { issuer, ..config::Oidc::default() };
        (Provider::new(&config).unwrap(), asked)
    }

    #[tokio::test]
    async fn a_provider_that_is_down_is_asked_once_and_then_left_alone() {
        let store = TestStore::sqlite().await;
        let (app, clock) = store.app().await;
        let (provider, dead) = dead(&clock, 0).await;
        let ask = || provider.address(&app, "attempt");
        for answer in join_all((0..20).map(|_| ask())).await {
            assert_eq!(answer.unwrap_err().code(), "provider_unreachable");
        }
        assert_eq!(dead.asked(), 1, "twenty at once");
        clock.advance(REST_MS - 1);
        ask().await.unwrap_err();
        assert_eq!(dead.asked(), 1);
        clock.advance(1);
        ask().await.unwrap_err();
        assert_eq!(dead.asked(), 2, "it may be back");
    }

    #[tokio::test]
    async fn a_provider_that_hangs_is_left_alone_from_when_it_failed() {
        let store = TestStore::sqlite().await;
        let (app, clock) = store.app().await;
        let (provider, dead) = dead(&clock, 2 * REST_MS).await;
        let meanwhile = async {
            dead.reached.notified().await;
            provider.address(&app, "came while the first was asking").await
        };
        let (first, second) = join(provider.address(&app, "attempt"), meanwhile).await;
        for answer in [first, second] {
            assert_eq!(answer.unwrap_err().code(), "provider_unreachable");
        }
        assert_eq!(dead.asked(), 1);
    }

    #[tokio::test]
    async fn whoever_goes_away_while_asking_leaves_it_alone_as_well() {
        let store = TestStore::sqlite().await;
        let (app, clock) = store.app().await;
        let (provider, dead) = dead(&clock, 2 * REST_MS).await;
        tokio::select! {
            answer = provider.address(&app, "attempt") => panic!("it went on waiting: {answer:?}"),
            () = dead.reached.notified() => {}
        }
        let next = provider.address(&app, "next").await;
        assert_eq!(next.unwrap_err().code(), "provider_unreachable");
        assert_eq!(dead.asked(), 1);
    }

    #[tokio::test]
    async fn new_keys_are_fetched_once_for_all_who_met_them() {
        let store = TestStore::sqlite().await;
        let (app, _) = store.app().await;
        let (provider, asked) = working().await;
        let old = provider.metadata(&app).await.unwrap();
        let again = provider.metadata(&app).await.unwrap();
        assert!(Arc::ptr_eq(&old, &again) && asked.load(Ordering::Relaxed) == 1);
        for new in join_all((0..20).map(|_| provider.fetched(Some(&old), &app))).await {
            assert!(!Arc::ptr_eq(&new.unwrap(), &old));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    on_each_engine!(a_provider_that_is_down_makes_nobody_wait);

    async fn a_provider_that_is_down_makes_nobody_wait(store: TestStore) {
        let (mut app, clock) = store.app().await;
        let (provider, _) = dead(&clock, 0).await;
        let oidc = config::Oidc { issuer: provider.issuer.to_string(), ..config::Oidc::default() };
        let config = config::Config { oidc, ..config::Config::clone(&app.config) };
        app.auth = Arc::new(Auth::new(&app.keys.token_seed, &config).unwrap());
        let auth = &app.auth.sign_in;
        let source = Source::of([203, 0, 113, 9].into());
        for _ in 0..40 {
            let attempt = auth.new_attempt(&*app.random, app.now());
            let back = Back {
                state: config::Secret(auth.of_attempt(b"oidc state", &attempt)),
                attempt: config::Secret(attempt),
                code: config::Secret("code".to_owned()),
                iss: None,
            };
            let failed = sign_in(&app, back, source, Hash::from_bytes([7; 32])).await;
            assert_eq!(failed.unwrap_err().code(), "provider_unreachable");
        }
    }
}
