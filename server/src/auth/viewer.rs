//! The person who asks, and how far each of their actions reaches.

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use onscene_sync_core::id::{DeviceId, PersonId, TeamId, UnitId};
use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::grants::{Action, Reach};
use super::jwk::DeviceKey;
use super::role::Role;
use crate::problem::Problem;

/// Who asks. Handlers get it as an argument; every query takes it.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The person.
    pub person: PersonId,
    /// Their role now.
    pub role: Role,
    /// Their unit now.
    pub unit: UnitId,
    /// Their team now.
    pub team: Option<TeamId>,
    /// The phone they ask with; `None` at a desk.
    pub seat: Option<Seat>,
    /// Their unit and all below it; only their unit where no action of theirs reaches further.
    pub(super) below: BTreeSet<UnitId>,
}

/// An enrolled phone as the hub knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Which.
    pub device: DeviceId,
    /// Its newest install number.
    pub install: u32,
    /// Its public key.
    pub key: DeviceKey,
    /// It may only hand in what it still holds.
    pub revoked: bool,
}

/// Whose something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A unit's.
    Unit(UnitId),
    /// The whole bureau's.
    Bureau,
}

/// The units that a list goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Start at the top, whatever `unit` says.
    pub everything: bool,
    /// Start here.
    pub unit: UnitId,
    /// Go on to all units below.
    pub below: bool,
}

/// The start of a query over `sweep(unit_id)`, the units that a [`Sweep`] goes through:
/// $1 is `everything`, $2 `unit`, $3 `below`, the first and last as 0 or 1.
pub const SWEEP: &str = "WITH RECURSIVE sweep (unit_id) AS (
        SELECT unit_id FROM unit WHERE ($1 = 1 AND parent IS NULL) OR ($1 = 0 AND unit_id = $2)
        UNION ALL
        SELECT u.unit_id FROM unit u JOIN sweep s ON u.parent = s.unit_id WHERE $3 = 1
    ) ";

impl Sweep {
    /// A query over these units: `rest` follows [`SWEEP`], with parameters of its own from $4 on.
    pub fn query<'q>(&self, rest: impl SqlSafeStr) -> Query<'q, Any, AnyArguments> {
        let rest = rest.into_sql_str();
        sqlx::query(AssertSqlSafe(format!("{SWEEP}{}", rest.as_str())))
            .bind(i64::from(self.everything))
            .bind(self.unit.as_bytes().to_vec())
            .bind(i64::from(self.below))
    }
}

impl Viewer {
    /// Refuses unless this person may do `action` to what belongs to `scope`.
    ///
    /// # Errors
    /// `forbidden` when their role never may; `not_found` when it may, but not there: what lies
    /// outside somebody's scope looks as if it were not there at all.
    pub fn may(&self, action: Action, scope: &Scope) -> Result<(), Problem> {
        let reach = self.role.reach(action);
        let within = match (reach, scope) {
            (Reach::Nothing, _) => return Err(forbidden(self.role)),
            (Reach::Everything, _) => true,
            (Reach::Subtree | Reach::OwnUnit, Scope::Bureau) => false,
            (Reach::Subtree, Scope::Unit(unit)) => self.below.contains(unit),
            (Reach::OwnUnit, Scope::Unit(unit)) => self.unit == *unit,
        };
        if within { Ok(()) } else { Err(out_of_scope()) }
    }

    /// Whether role and units are those of `other`: each action reaches as far then.
    #[must_use]
    pub fn reaches_as(&self, other: &Self) -> bool {
        (self.role, self.unit, &self.below) == (other.role, other.unit, &other.below)
    }

    /// Refuses unless this person may hand out, confirm or revoke (`action`) the phones of a person of
    /// role `owner` in `unit`. Those of supervision are the administrators' alone: whoever could
    /// enrol one would read as a supervisor what is planned against the own unit.
    ///
    /// # Errors
    /// As [`Viewer::may`].
    pub fn may_keep_phones(
        &self,
        action: Action,
        unit: UnitId,
        owner: Role,
    ) -> Result<(), Problem> {
        self.may(action, &Scope::Unit(unit))?;
        if owner == Role::Supervisor && self.role != Role::Administrator {
            return Err(forbidden(self.role));
        }
        Ok(())
    }

    /// The units that a list for `action` goes through: all in reach, or `only` and, if the reach
    /// goes down, all below it.
    ///
    /// # Errors
    /// As [`Viewer::may`].
    pub fn sweep(&self, action: Action, only: Option<UnitId>) -> Result<Sweep, Problem> {
        let reach = self.role.reach(action);
        if reach == Reach::Nothing {
            return Err(forbidden(self.role));
        }
        let below = reach != Reach::OwnUnit;
        match only {
            Some(unit) => {
                self.may(action, &Scope::Unit(unit))?;
                Ok(Sweep { everything: false, unit, below })
            }
            None => Ok(Sweep { everything: reach == Reach::Everything, unit: self.unit, below }),
        }
    }
}

pub(super) fn forbidden(role: Role) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "Your role does not do this")
        .detail(format!("the role `{role}` may not do this: ask someone whose role may"))
}

fn out_of_scope() -> Problem {
    Problem::not_found("check the id, and that it belongs to your unit or one below it")
}

impl crate::describe::Input for Viewer {}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || Problem::internal(&"a handler wants a viewer on a route that admits none");
        parts.extensions.get().cloned().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(n: u8) -> UnitId {
        UnitId::from_bytes([n; 16])
    }

    fn viewer(role: Role) -> Viewer {
        let person = PersonId::from_bytes([9; 16]);
        let below = BTreeSet::from([unit(1), unit(2)]);
        Viewer { person, role, unit: unit(1), team: None, seat: None, below }
    }

    fn outcome(role: Role, action: Action, scope: Scope) -> &'static str {
        match viewer(role).may(action, &scope) {
            Ok(()) => "yes",
            Err(problem) => problem.code(),
        }
    }

    #[test]
    fn reach_ends_where_the_table_says() {
        let action = Action::ReadCases;
        for (role, own, child, foreign, bureau) in [
            (Role::Dispatcher, "yes", "yes", "yes", "yes"),
            (Role::UnitLeader, "yes", "yes", "not_found", "not_found"),
            (Role::Inspector, "yes", "not_found", "not_found", "not_found"),
            (Role::Administrator, "forbidden", "forbidden", "forbidden", "forbidden"),
        ] {
            assert_eq!(outcome(role, action, Scope::Unit(unit(1))), own, "{role} own");
            assert_eq!(outcome(role, action, Scope::Unit(unit(2))), child, "{role} child");
            assert_eq!(outcome(role, action, Scope::Unit(unit(3))), foreign, "{role} foreign");
            assert_eq!(outcome(role, action, Scope::Bureau), bureau, "{role} bureau");
        }
    }

    #[test]
    fn a_list_never_goes_further_than_its_reader() {
        let sweep = |role, only| viewer(role).sweep(Action::ReadCases, only);
        let all = sweep(Role::Dispatcher, None).unwrap();
        assert!(all.everything && all.below);
        let leader = sweep(Role::UnitLeader, None).unwrap();
        assert_eq!(leader, Sweep { everything: false, unit: unit(1), below: true });
        let inspector = sweep(Role::Inspector, None).unwrap();
        assert_eq!(inspector, Sweep { everything: false, unit: unit(1), below: false });
        assert_eq!(sweep(Role::UnitLeader, Some(unit(2))).unwrap().unit, unit(2));
        assert!(sweep(Role::UnitLeader, Some(unit(3))).is_err());
        assert!(sweep(Role::Administrator, None).is_err());
    }
}
