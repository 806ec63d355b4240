//! Who may do what: one table, deny by default.

use super::role::Role;

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

impl Role {
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

#[cfg(test)]
mod tests {
    use super::*;

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
