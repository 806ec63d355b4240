//! Who may call what, from [`Access`] and the table of roles.

use serde_json::{Value, json};

use crate::auth::{Access, Action, Reach, Role};

/// How callers say who they are.
pub(super) fn schemes() -> Value {
    json!({
        "key": {
            "type": "http", "scheme": "bearer", "bearerFormat": "onk_…",
            "description": "A person's key, for desks and other systems. An administrator issues it.",
        },
        "token": {
            "type": "http", "scheme": "DPoP",
            "description": "A phone's access token of ten minutes, from `POST /v1/token` (RFC 9449).",
        },
        "proof": {
            "type": "apiKey", "in": "header", "name": "DPoP",
            "description": "The proof that the caller holds the phone's key: a JWT over this very \
                request, ES256 (RFC 9449 section 4.2).",
        },
        "api_key": {
            "type": "apiKey", "in": "query", "name": "api_key",
            "description": "Another system's key, as GeoReport v2 has it; a form may hold it, too.",
        },
        "basic": {
            "type": "http", "scheme": "basic",
            "description": "Another system's key as the password; the user name is not looked at.",
        },
    })
}

/// One of these is demanded, each with all its schemes.
pub(super) fn requirement(access: Access) -> Value {
    let (key, phone) = (json!({ "key": [] }), json!({ "token": [], "proof": [] }));
    match access {
        Access::Open => json!([]),
        Access::Handshake => json!([{ "proof": [] }]),
        Access::Phone => json!([phone]),
        Access::May(action) if callers(action).any(Role::carries_phone) => json!([key, phone]),
        Access::May(_) | Access::Desk(_) => json!([key]),
        Access::ApiKey(_) => json!([key, { "api_key": [] }, { "basic": [] }]),
    }
}

/// Who that is, in words.
pub(super) fn in_words(access: Access) -> String {
    let roles = |action| {
        let names: Vec<_> = callers(action).map(|role| format!("`{role}`")).collect();
        names.join(", ")
    };
    match access {
        Access::Open => "Anybody may call this.".to_owned(),
        Access::Handshake => "Any phone that proves to hold a key may call this.".to_owned(),
        Access::Phone => format!("Phones of these roles may call this: {}.", roles(Action::Sync)),
        Access::May(action) => format!("These roles may call this: {}.", roles(action)),
        Access::Desk(action) => {
            format!("These roles may call this, at a desk only: {}.", roles(action))
        }
        Access::ApiKey(action) => {
            format!("Other systems with the key of this role may call this: {}.", roles(action))
        }
    }
}

/// How the gate refuses.
pub(super) fn refusals(access: Access) -> &'static [u16] {
    match access {
        Access::Open => &[503],
        Access::Handshake => &[400, 401, 429, 503],
        Access::Phone | Access::May(_) | Access::Desk(_) => &[400, 401, 403, 429, 503],
        Access::ApiKey(_) => &[400, 401, 403, 413, 503],
    }
}

fn callers(action: Action) -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(move |role| role.reach(action) != Reach::Nothing)
}
