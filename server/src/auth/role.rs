//! Who may do what: one table, deny by default.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

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

    /// How far this role may do `action`.
    #[must_use]
    pub fn reach(self, action: Action) -> Reach {
        let granted = match self {
            Self::Administrator => ADMINISTRATOR,
            Self::Dispatcher => DISPATCHER,
            Self::UnitLeader => UNIT_LEADER,
            Self::Inspector | Self::TeamMember => INSPECTOR,
            Self::Supervisor => SUPERVISOR,
            Self::Leader => LEADER,
            Self::Auditor => AUDITOR,
            Self::WebIntake => WEB_INTAKE,
            Self::IntakeClerk => INTAKE_CLERK,
        };
        let grant = granted.iter().find(|(granted, _)| *granted == action);
        grant.map_or(Reach::Nothing, |(_, reach)| *reach)
    }
}

type Grants = &'static [(Action, Reach)];

const ADMINISTRATOR: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ManageUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Everything),
    (Action::ManageTeams, Reach::Everything),
    (Action::ReadPeople, Reach::Everything),
    (Action::ManagePeople, Reach::Everything),
    (Action::ManageKeys, Reach::Everything),
    (Action::EnrolPhones, Reach::Everything),
    (Action::ReadPhones, Reach::Everything),
    (Action::RevokePhones, Reach::Everything),
    (Action::ReadMatters, Reach::Everything),
    (Action::ManageMatters, Reach::Everything),
    (Action::ReadTemplates, Reach::Everything),
    (Action::ManageTemplates, Reach::Everything),
    (Action::ReadDuty, Reach::Everything),
    (Action::ManageDuty, Reach::Everything),
    (Action::StandDuty, Reach::Everything),
    (Action::ReadNotices, Reach::Everything),
    (Action::ManageSignIn, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const DISPATCHER: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Everything),
    (Action::ReadPeople, Reach::Everything),
    (Action::ReadCases, Reach::Everything),
    (Action::ReadStatistics, Reach::Everything),
    (Action::RegisterCases, Reach::Everything),
    (Action::DispatchCases, Reach::Everything),
    (Action::ConfirmOrders, Reach::Everything),
    (Action::PressUnits, Reach::Everything),
    (Action::StoreComplainants, Reach::Everything),
    (Action::ReadComplainants, Reach::Everything),
    (Action::AnswerTeams, Reach::Everything),
    (Action::ReadMatters, Reach::Everything),
    (Action::FindRepeats, Reach::Everything),
    (Action::ExportSuggestions, Reach::Everything),
    (Action::ReopenCases, Reach::Everything),
    (Action::SendMessages, Reach::Everything),
    (Action::ReadMessages, Reach::Everything),
    (Action::ReadReplies, Reach::Everything),
    (Action::ReadTemplates, Reach::Everything),
    (Action::ReadDuty, Reach::Everything),
    (Action::StandDuty, Reach::Everything),
    (Action::ReadNotices, Reach::Everything),
    (Action::ReadDrills, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const UNIT_LEADER: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Subtree),
    (Action::ManageTeams, Reach::Subtree),
    (Action::ReadPeople, Reach::Subtree),
    (Action::EnrolPhones, Reach::Subtree),
    (Action::ReadPhones, Reach::Subtree),
    (Action::RevokePhones, Reach::Subtree),
    (Action::ReadCases, Reach::Subtree),
    (Action::ReadMeasures, Reach::Subtree),
    (Action::ReadStatistics, Reach::Subtree),
    (Action::ConfirmOrders, Reach::Subtree),
    (Action::AskCentre, Reach::Subtree),
    (Action::Sync, Reach::OwnUnit),
    (Action::ReadMatters, Reach::Everything),
    (Action::ReadDuty, Reach::Subtree),
    (Action::ManageDuty, Reach::Subtree),
    (Action::StandDuty, Reach::Subtree),
    (Action::ReadNotices, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const INSPECTOR: Grants = &[
    (Action::ReadUnits, Reach::OwnUnit),
    (Action::ReadTeams, Reach::OwnUnit),
    (Action::ReadPeople, Reach::OwnUnit),
    (Action::ReadCases, Reach::OwnUnit),
    (Action::AskCentre, Reach::OwnUnit),
    (Action::Sync, Reach::OwnUnit),
    (Action::ReadMatters, Reach::Everything),
    (Action::ReadDuty, Reach::OwnUnit),
    (Action::StandDuty, Reach::OwnUnit),
    (Action::ReadNotices, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const SUPERVISOR: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Subtree),
    (Action::ReadPeople, Reach::Subtree),
    (Action::ReadPhones, Reach::Subtree),
    (Action::ReadCases, Reach::Subtree),
    (Action::ExportCases, Reach::Subtree),
    (Action::ReadStatistics, Reach::Subtree),
    (Action::SettleReviews, Reach::Subtree),
    (Action::TakeMeasures, Reach::Subtree),
    (Action::ReadMeasures, Reach::Subtree),
    (Action::PressUnits, Reach::Subtree),
    (Action::ReadQuarantine, Reach::Subtree),
    (Action::SettleQuarantine, Reach::Subtree),
    (Action::ReadComplainants, Reach::Subtree),
    (Action::EraseComplainants, Reach::Subtree),
    (Action::AuditComplainants, Reach::Subtree),
    (Action::Sync, Reach::Subtree),
    (Action::ReadMatters, Reach::Everything),
    (Action::HoldDraws, Reach::Everything),
    (Action::ReadDraws, Reach::Everything),
    (Action::ReopenCases, Reach::Subtree),
    (Action::ReadDuty, Reach::Subtree),
    (Action::StandDuty, Reach::Subtree),
    (Action::ReadNotices, Reach::Everything),
    (Action::ReadDrills, Reach::Everything),
    (Action::Supervise, Reach::Subtree),
    (Action::ReadSupervision, Reach::Subtree),
    (Action::SignIn, Reach::Everything),
];

const LEADER: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Everything),
    (Action::ReadPeople, Reach::Everything),
    (Action::ReadCases, Reach::Everything),
    (Action::ExportCases, Reach::Everything),
    (Action::ReadStatistics, Reach::Everything),
    (Action::SettleReviews, Reach::Everything),
    (Action::TakeMeasures, Reach::Everything),
    (Action::ReadMeasures, Reach::Everything),
    (Action::EraseComplainants, Reach::Everything),
    (Action::ReadMatters, Reach::Everything),
    (Action::FindRepeats, Reach::Everything),
    (Action::ExportSuggestions, Reach::Everything),
    (Action::HoldDraws, Reach::Everything),
    (Action::ReadDraws, Reach::Everything),
    (Action::ReadMessages, Reach::Everything),
    (Action::ReadDuty, Reach::Everything),
    (Action::StandDuty, Reach::Everything),
    (Action::ReadNotices, Reach::Everything),
    (Action::ApproveDrills, Reach::Everything),
    (Action::ReadDrills, Reach::Everything),
    (Action::Supervise, Reach::Everything),
    (Action::ReadSupervision, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const AUDITOR: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Everything),
    (Action::ReadPeople, Reach::Everything),
    (Action::ReadPhones, Reach::Everything),
    (Action::ReadCases, Reach::Everything),
    (Action::ExportCases, Reach::Everything),
    (Action::ReadMeasures, Reach::Everything),
    (Action::ReadStatistics, Reach::Everything),
    (Action::ReadQuarantine, Reach::Everything),
    (Action::ReadAudit, Reach::Everything),
    (Action::AuditComplainants, Reach::Everything),
    (Action::ReadMatters, Reach::Everything),
    (Action::ReadDraws, Reach::Everything),
    (Action::ReadMessages, Reach::Everything),
    (Action::ReadTemplates, Reach::Everything),
    (Action::ReadDuty, Reach::Everything),
    (Action::ReadNotices, Reach::Everything),
    (Action::ReadDrills, Reach::Everything),
    (Action::ReadSupervision, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const INTAKE_CLERK: Grants = &[
    (Action::ReadUnits, Reach::Everything),
    (Action::ReadTeams, Reach::Everything),
    (Action::ReadPeople, Reach::Everything),
    (Action::ReadCases, Reach::Everything),
    (Action::RegisterCases, Reach::Everything),
    (Action::StoreComplainants, Reach::Everything),
    (Action::ReadMatters, Reach::Everything),
    (Action::FindRepeats, Reach::Everything),
    (Action::ReadDuty, Reach::Everything),
    (Action::StandDuty, Reach::Everything),
    (Action::ReadNotices, Reach::Everything),
    (Action::SignIn, Reach::Everything),
];

const WEB_INTAKE: Grants = &[(Action::UseOpen311, Reach::Everything)];

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

/// Something that a person may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// See units.
    ReadUnits,
    /// Add units.
    ManageUnits,
    /// See teams.
    ReadTeams,
    /// Add teams.
    ManageTeams,
    /// See people.
    ReadPeople,
    /// Add people, change their role and unit.
    ManagePeople,
    /// Issue and revoke personal API keys.
    ManageKeys,
    /// Issue enrolment codes.
    EnrolPhones,
    /// See phones.
    ReadPhones,
    /// Revoke phones.
    RevokePhones,
    /// Take the evidence bundle of a case out of the hub.
    ExportCases,
    /// Exchange documents, with an enrolled phone.
    Sync,
    /// See cases, their verdicts and evidence.
    ReadCases,
    /// See figures, export them and the lists behind them.
    ReadStatistics,
    /// Register cases, refuse and answer them at once, link repeats.
    RegisterCases,
    /// Order units out.
    DispatchCases,
    /// Confirm for a unit that it has received an order.
    ConfirmOrders,
    /// Urge units, and send their work back.
    PressUnits,
    /// Decide what a machine left open.
    SettleReviews,
    /// Take steps of supervision against a unit, and conclude them.
    TakeMeasures,
    /// See which steps were taken.
    ReadMeasures,
    /// Settle lists of closed cases, and draw from them.
    HoldDraws,
    /// Read the published files of draws.
    ReadDraws,
    /// See what phones sent and the hub refused.
    ReadQuarantine,
    /// Decide what becomes of it.
    SettleQuarantine,
    /// Read the audit log.
    ReadAudit,
    /// Store who raised a case.
    StoreComplainants,
    /// Look at who raised a case, on record.
    ReadComplainants,
    /// Erase who raised a case.
    EraseComplainants,
    /// See who looked at a case's complainant.
    AuditComplainants,
    /// Ask a complainant through the command centre.
    AskCentre,
    /// Answer teams that ask.
    AnswerTeams,
    /// See the kinds of matter.
    ReadMatters,
    /// Add kinds of matter, change and close them.
    ManageMatters,
    /// Look for repeats, and see the chains of repeated cases.
    FindRepeats,
    /// Export what citizens suggest.
    ExportSuggestions,
    /// Report matters and see public ones, by Open311.
    UseOpen311,

    /// Open closed cases again.
    ReopenCases,
    /// Have text messages sent to complainants.
    SendMessages,
    /// See which messages were sent and what became of them.
    ReadMessages,
    /// Read and settle what complainants wrote back.
    ReadReplies,
    /// See the texts for messages.
    ReadTemplates,
    /// Add texts for messages, change and close them.
    ManageTemplates,
    /// See who stands by when.
    ReadDuty,
    /// Say who stands by when.
    ManageDuty,
    /// Take over a shift of one's own, and leave it.
    StandDuty,
    /// Read what one was told.
    ReadNotices,
    /// Approve made-up cases.
    ApproveDrills,
    /// See which made-up cases were approved.
    ReadDrills,
    /// Begin and conclude special checks, and supervise cases.
    Supervise,
    /// See special checks, hard cases and media reports.
    ReadSupervision,
    /// Sign in, and look after one's own sessions, password and codes.
    SignIn,
    /// Invite people to sign in, reset what they sign in with, end their sessions.
    ManageSignIn,
}

/// How far an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// What belongs to one's own unit.
    OwnUnit,
    /// One's own unit and all below it.
    Subtree,
    /// The whole bureau.
    Everything,
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

    #[test]
    fn those_who_manage_the_system_see_no_cases_and_auditors_change_nothing() {
        assert_eq!(Role::Administrator.reach(Action::ReadCases), Reach::Nothing);
        let writes = [
            Action::ManageUnits,
            Action::ManageTeams,
            Action::ManagePeople,
            Action::ManageKeys,
            Action::EnrolPhones,
            Action::RevokePhones,
            Action::Sync,
            Action::RegisterCases,
            Action::DispatchCases,
            Action::ConfirmOrders,
            Action::PressUnits,
            Action::SettleReviews,
            Action::HoldDraws,
            Action::TakeMeasures,
            Action::SettleQuarantine,
            Action::StoreComplainants,
            Action::ReadComplainants,
            Action::EraseComplainants,
            Action::AskCentre,
            Action::AnswerTeams,
            Action::ManageMatters,
            Action::ReopenCases,
            Action::SendMessages,
            Action::ReadReplies,
            Action::ManageTemplates,
            Action::ManageDuty,
            Action::StandDuty,
            Action::ApproveDrills,
            Action::Supervise,
            Action::ManageSignIn,
        ];
        assert!(writes.iter().all(|action| Role::Auditor.reach(*action) == Reach::Nothing));
    }

    #[test]
    fn identities_are_for_the_command_centre_and_supervision_alone() {
        let readers = Role::ALL
            .into_iter()
            .filter(|role| role.reach(Action::ReadComplainants) != Reach::Nothing);
        assert_eq!(readers.collect::<Vec<_>>(), [Role::Dispatcher, Role::Supervisor]);
    }

    #[test]
    fn nobody_below_the_command_centre_dispatches() {
        let dispatching: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| role.reach(Action::DispatchCases) != Reach::Nothing)
            .collect();
        assert_eq!(dispatching, [Role::Dispatcher]);
    }

    #[test]
    fn a_clerk_takes_calls_and_orders_nobody_out() {
        let clerk = |action| Role::IntakeClerk.reach(action) != Reach::Nothing;
        let takes = [Action::RegisterCases, Action::FindRepeats, Action::StoreComplainants];
        assert!(takes.into_iter().all(clerk));
        let never = [Action::DispatchCases, Action::PressUnits, Action::ReadComplainants];
        assert!(!never.into_iter().any(clerk) && !clerk(Action::Sync));
    }

    #[test]
    fn every_person_signs_in_and_another_system_does_not() {
        let without: Vec<_> = Role::ALL.into_iter().filter(|role| !role.signs_in()).collect();
        assert_eq!(without, [Role::WebIntake]);
        assert!(Role::TeamMember.carries_phone());
    }
}
