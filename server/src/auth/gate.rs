//! Routes with the access each one demands. A route cannot be added without saying so, and the
//! gate stands before the handler whatever the handler asks for. Nor can a handler be added whose
//! types do not say what it takes and answers: see [`crate::describe`].

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::grants::{Action, Reach};
use super::jwk::DeviceKey;
use super::viewer::forbidden;
use super::{api_key, credentials};
use crate::app::App;
use crate::describe::{Described, Operation};
use crate::problem::Problem;

/// Header of a proof of possession.
pub(super) static DPOP: HeaderName = HeaderName::from_static("dpop");
/// Header of the next nonce.
pub(super) static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What a route demands of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the address itself is the secret, or there is nothing to learn.
    Open,
    /// A proof of possession of some key, without a token: enrolment and tokens. The handler gets
    /// the key as [`Proven`].
    Handshake,
    /// An enrolled phone of someone who may [`Action::Sync`]. It may be revoked: the handler looks
    /// at [`Seat::revoked`](super::viewer::Seat::revoked).
    Phone,
    /// Someone whose role may do this somewhere; the handler checks where.
    May(Action),
    /// The same, but never with a phone, whoever carries it.
    Desk(Action),
    /// The same for another system, which may also send its key as GeoReport's `api_key`.
    ApiKey(Action),
}

/// One method of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The address, with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// What a route says of itself besides its [`Route`].
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What the handler's types say.
    pub types: fn(&mut Operation<'_>),
    /// What they cannot say.
    pub more: Option<fn(&mut Operation<'_>)>,
}

/// Routes being collected.
#[derive(Debug, Default)]
pub struct Routes(Vec<(Route, Words, MethodRouter<App>)>);

impl Routes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a GET.
    #[must_use]
    pub fn get<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::GET, MethodFilter::GET), path, access, handler)
    }

    /// Adds a POST.
    #[must_use]
    pub fn post<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::POST, MethodFilter::POST), path, access, handler)
    }

    /// Adds a PUT.
    #[must_use]
    pub fn put<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::PUT, MethodFilter::PUT), path, access, handler)
    }

    /// Adds a DELETE.
    #[must_use]
    pub fn delete<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::DELETE, MethodFilter::DELETE), path, access, handler)
    }

    /// Adds a PATCH.
    #[must_use]
    pub fn patch<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::PATCH, MethodFilter::PATCH), path, access, handler)
    }

    /// Adds a HEAD.
    #[must_use]
    pub fn head<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::HEAD, MethodFilter::HEAD), path, access, handler)
    }

    /// Adds an OPTIONS.
    #[must_use]
    pub fn options<H, T, I>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        self.add((Method::OPTIONS, MethodFilter::OPTIONS), path, access, handler)
    }

    /// What the route added last does, in a sentence.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        if let Some((_, words, _)) = self.0.last_mut() {
            words.about = about;
        }
        self
    }

    /// What the types of the route added last cannot say: answers that are not JSON, refusals of its own.
    #[must_use]
    pub fn with(mut self, more: fn(&mut Operation<'_>)) -> Self {
        if let Some((_, words, _)) = self.0.last_mut() {
            words.more = Some(more);
        }
        self
    }

    fn add<H, T, I>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App> + Described<I>,
        T: 'static,
    {
        let words = Words { about: "", types: <H as Described<I>>::describe, more: None };
        self.0.push((Route { method, path, access }, words, on(filter, handler)));
        self
    }

    /// Takes in the routes of another resource.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// What has been collected.
    pub fn table(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().map(|(route, ..)| route)
    }

    /// The same, with what each says of itself.
    pub fn described(&self) -> impl Iterator<Item = (&Route, &Words)> {
        self.0.iter().map(|(route, words, _)| (route, words))
    }

    /// The router, each route behind its gate.
    pub fn into_router(self, app: &App) -> Router<App> {
        self.0.into_iter().fold(Router::new(), |router, (route, _, handler)| {
            let state = (app.clone(), route.access);
            router.route(route.path, handler.route_layer(from_fn_with_state(state, gate)))
        })
    }
}

/// The key that a caller without a token has proven to hold.
#[derive(Debug, Clone, Copy)]
pub struct Proven(pub DeviceKey);

impl crate::describe::Input for Proven {}

impl<S: Sync> FromRequestParts<S> for Proven {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || Problem::internal(&"a handler wants a key on a route that asks for none");
        parts.extensions.get().copied().ok_or_else(missing)
    }
}

async fn gate(
    State((app, access)): State<(App, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let request = match access {
        Access::ApiKey(_) => match api_key::to_bearer(request, app.config.http.body_bytes).await {
            Ok(request) => request,
            Err(problem) => return problem.into_response(),
        },
        _ => request,
    };
    let (mut parts, body) = request.into_parts();
    let with_proof = parts.headers.contains_key(&DPOP);
    let mut response = match admit(&app, access, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    if with_proof && let Ok(nonce) = HeaderValue::from_str(&app.auth.proofs.nonce(app.now())) {
        response.headers_mut().insert(DPOP_NONCE.clone(), nonce);
    }
    response
}

async fn admit(app: &App, access: Access, parts: &mut Parts) -> Result<(), Problem> {
    let action = match access {
        Access::Open => return Ok(()),
        Access::Handshake => {
            let key = credentials::proven_key(app, parts)?;
            parts.extensions.insert(Proven(key));
            return Ok(());
        }
        Access::Phone => Action::Sync,
        Access::May(action) | Access::Desk(action) | Access::ApiKey(action) => action,
    };
    let viewer = credentials::viewer(app, parts).await?;
    let revoked = viewer.seat.is_some_and(|seat| seat.revoked);
    if access == Access::Phone {
        if viewer.seat.is_none() {
            return Err(credentials::not_a_phone());
        }
    } else if revoked {
        return Err(credentials::revoked());
    }
    if matches!(access, Access::Desk(_) | Access::ApiKey(_)) && viewer.seat.is_some() {
        return Err(credentials::not_a_desk());
    }
    // A revoked phone hands in what it holds, whatever its owner does by now.
    if !revoked && viewer.role.reach(action) == Reach::Nothing {
        return Err(forbidden(viewer.role));
    }
    parts.extensions.insert(viewer);
    Ok(())
}
