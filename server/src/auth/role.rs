//! The posts that people hold, by the names that requests and the database use.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::grants::{Action, Reach};

/// A person's post. One at a time; earlier ones stay on record.
///
/// The hub itself is no role that anybody could hold: what it does by itself (clocks, verdicts,
/// erasing what is too old) runs without a [`Viewer`](super::Viewer), and stands in the audit log
/// without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Role {
    /// Keeps units, people, phones and keys. Sees no cases.
    Administrator,
    /// The command centre: registers, dispatches, feeds back.
    Dispatcher,
    /// Leads a unit and all below it.
    UnitLeader,
    /// Patrols and goes on scene (巡查员).
    Inspector,
    /// Supervision (督查): rechecks, settles reviews and what was quarantined.
    Supervisor,
    /// A bureau leader: reads everything but identities, and may have one erased.
    Leader,
    /// Reads everything, writes nothing.
    Auditor,
    /// Another system, such as the city's own app: reports matters and sees public ones, by Open311.
    WebIntake,
    /// Answers the hotline (受理员): registers, refuses, links repeats, stores who called. Orders
    /// nobody out, and sees no identity again once it is stored.
    IntakeClerk,
    /// Goes on scene in a team (队员), with a phone like an inspector's. The phone of either can
    /// begin a patrol: what was recorded is never refused for the sake of a title.
    TeamMember,
}

/// A name that is no role.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no role: use administrator, dispatcher, unit_leader, inspector, supervisor, leader, \
     auditor, web_intake, intake_clerk or team_member"
)]
pub struct UnknownRole(String);

impl Role {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Administrator,
        Self::Dispatcher,
        Self::UnitLeader,
        Self::Inspector,
        Self::Supervisor,
        Self::Leader,
        Self::Auditor,
        Self::WebIntake,
        Self::IntakeClerk,
        Self::TeamMember,
    ];

    /// As it stands in JSON and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Dispatcher => "dispatcher",
            Self::UnitLeader => "unit_leader",
            Self::Inspector => "inspector",
            Self::Supervisor => "supervisor",
            Self::Leader => "leader",
            Self::Auditor => "auditor",
            Self::WebIntake => "web_intake",
            Self::IntakeClerk => "intake_clerk",
            Self::TeamMember => "team_member",
        }
    }

    /// Whether people of this role work with an enrolled phone.
    #[must_use]
    pub fn carries_phone(self) -> bool {
        self.reach(Action::Sync) != Reach::Nothing
    }

    /// Whether people of this role sign in: other systems have a key.
    #[must_use]
    pub fn signs_in(self) -> bool {
        self.reach(Action::SignIn) != Reach::Nothing
    }
}

impl JsonSchema for Role {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Role".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::ALL.iter().map(|role| role.as_str()).collect();
        json_schema!({ "type": "string", "enum": names, "description": "A person's post." })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let unknown = || UnknownRole(text.chars().take(40).collect());
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(unknown)
    }
}

impl From<Role> for &'static str {
    fn from(role: Role) -> Self {
        role.as_str()
    }
}

impl TryFrom<String> for Role {
    type Error = UnknownRole;
    fn try_from(text: String) -> Result<Self, UnknownRole> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_its_name_and_a_wrong_one_lists_the_right() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let error = "chief".parse::<Role>().expect_err("unknown").to_string();
        assert!(error.contains("`chief`") && error.contains("unit_leader"), "{error}");
    }
}
