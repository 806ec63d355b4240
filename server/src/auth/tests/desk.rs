//! Somebody at a desk with a password and an authenticator.

use axum::http::Method;
use serde_json::{Value, json};

use super::kit::{Answer, World, text};
use crate::auth::Role;
use crate::auth::signin::totp::Secret;

pub(crate) const PASSWORD: &str = "four willows and a cat";

/// One person's sign-in.
pub(crate) struct Desk {
    pub(crate) person: String,
    pub(crate) login: String,
    pub(crate) secret: Secret,
    pub(crate) recovery_codes: Vec<String>,
    pub(crate) session: String,
}

/// An invitation from the administrator.
pub(crate) async fn invite(world: &World, person: &str) -> String {
    let path = format!("/v1/people/{person}/sign-in-invitations");
    text(&world.post(&world.admin, &path, json!({})).await.ok()["code"])
}

/// Anybody's POST.
pub(crate) async fn open(world: &World, path: &str, body: Value) -> Answer {
    world.send(Method::POST, path, &[], Some(body)).await
}

pub(crate) async fn accept(world: &World, code: &str, login: &str, password: &str) -> Answer {
    let body = json!({"code": code, "login": login, "password": password});
    open(world, "/v1/sign-in/invitation", body).await
}

/// The secret that an authenticator was told.
pub(crate) fn secret_of(told: &Value) -> Secret {
    let bytes = totp_rs::Secret::Encoded(text(&told["secret"])).to_bytes().unwrap();
    Secret::from_bytes(bytes.try_into().unwrap())
}

impl Desk {
    /// A new person of `role` who was invited and has just signed in for the first time.
    pub(crate) async fn new(world: &World, role: Role, login: &str) -> Self {
        let person = world.person(role, &world.top().await).await;
        Self::of(world, &person, login).await
    }

    pub(crate) async fn of(world: &World, person: &str, login: &str) -> Self {
        let invitation = invite(world, person).await;
        let told = accept(world, &invitation, login, PASSWORD).await.ok();
        let secret = secret_of(&told);
        let body = json!({"code": invitation, "totp": secret.code(world.app.now())});
        let done = open(world, "/v1/sign-in/confirmation", body).await.ok();
        let codes = done["recovery_codes"].as_array().unwrap().iter().map(text).collect();
        let session = text(&done["session"]["token"]);
        Self {
            person: person.to_owned(),
            login: login.to_owned(),
            secret,
            recovery_codes: codes,
            session,
        }
    }

    /// The authenticator's next code: half a minute later.
    pub(crate) fn next_code(&self, world: &World) -> String {
        self.secret.code(world.clock.advance(30_000))
    }

    pub(crate) async fn try_with(&self, world: &World, password: &str, code: &str) -> Answer {
        let body = json!({"login": self.login, "password": password, "code": code});
        open(world, "/v1/sign-in", body).await
    }

    /// A new session.
    pub(crate) async fn sign_in(&self, world: &World) -> String {
        let code = self.next_code(world);
        text(&self.try_with(world, PASSWORD, &code).await.ok()["token"])
    }

    /// What the administrator sees.
    pub(crate) async fn seen(&self, world: &World) -> Value {
        world.get(&world.admin, &format!("/v1/people/{}/sign-in", self.person)).await.ok()
    }
}
