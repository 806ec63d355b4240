//! What handlers, their parameters and their return types say.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{NoContent, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;

use super::Operation;
use crate::problem::Problem;

/// A part of a request that a handler takes.
pub trait Input {
    /// Says what it takes, and how it refuses.
    fn describe(_operation: &mut Operation<'_>) {}
}

/// What a handler returns.
pub trait Answer {
    /// Says what is answered, with `status` where it does not know better.
    fn describe(operation: &mut Operation<'_>, status: u16);
}

/// A handler whose parameters and answer say what they are. `T` is the tuple of its parameters.
pub trait Described<T> {
    /// Says all that its types know.
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! described {
    ($($part:ident),*) => {
        impl<F, R, $($part),*> Described<($($part,)*)> for F
        where
            F: FnOnce($($part),*) -> R,
            R: Future,
            R::Output: Answer,
            $($part: Input,)*
        {
            fn describe(operation: &mut Operation<'_>) {
                $(<$part as Input>::describe(operation);)*
                <R::Output as Answer>::describe(operation, 200);
            }
        }
    };
}

described!();
described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
described!(A, B, C, D, E);
described!(A, B, C, D, E, G);
described!(A, B, C, D, E, G, H);

impl<S> Input for State<S> {}
impl<T> Input for Option<Extension<T>> {}
impl Input for HeaderMap {}
impl Input for Request {}
impl Input for WebSocketUpgrade {}

impl<T: Answer> Answer for Result<T, Problem> {
    fn describe(operation: &mut Operation<'_>, status: u16) {
        T::describe(operation, status);
    }
}

impl<T: JsonSchema> Answer for Json<T> {
    fn describe(operation: &mut Operation<'_>, status: u16) {
        operation.answers_json::<T>(status);
    }
}

impl Answer for NoContent {
    fn describe(operation: &mut Operation<'_>, _: u16) {
        operation.answers_nothing(204);
    }
}

/// Headers that are of no consequence to a client, such as `Cache-Control`.
impl<const N: usize, T: Answer> Answer for ([(HeaderName, HeaderValue); N], T) {
    fn describe(operation: &mut Operation<'_>, status: u16) {
        T::describe(operation, status);
    }
}

/// Says nothing: the route does, by [`Routes::with`](crate::auth::Routes::with).
impl Answer for Response {
    fn describe(_: &mut Operation<'_>, _: u16) {}
}
