//! Role by endpoint. The routes come from the router's own table; who may call each is written here
//! a second time, by hand. A route that is missing here fails.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::json;

use super::kit::{World, bearer};
use crate::auth::Role::{
    Administrator, Auditor, Dispatcher, Inspector, IntakeClerk, Leader, Supervisor, TeamMember,
    UnitLeader, WebIntake,
};
use crate::auth::{Access, Role};
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(every_route_admits_exactly_whom_this_table_names);

/// The roles whose personal keys open a route; `None`: only a phone's proof does.
type Callers = Option<&'static [Role]>;

const PHONES: Callers = None;
/// Everybody of the bureau; not another system.
const ALL: Callers = Some(&[
    Administrator,
    Dispatcher,
    UnitLeader,
    Inspector,
    TeamMember,
    IntakeClerk,
    Supervisor,
    Leader,
    Auditor,
]);
const OTHER_SYSTEMS: Callers = Some(&[WebIntake]);
const ADMINISTRATORS: Callers = Some(&[Administrator]);
const DISPATCHERS: Callers = Some(&[Dispatcher]);
/// Who takes calls.
const REGISTRARS: Callers = Some(&[Dispatcher, IntakeClerk]);

/// Who may call what.
fn expected() -> BTreeMap<&'static str, Callers> {
    let mut all = of_figures();
    all.extend(of_people());
    all.extend(of_cases());
    all.extend(of_duty());
    all.extend(of_supervision());
    all
}

/// Drills, special checks, hotspots, hard cases, media reports.
fn of_supervision() -> BTreeMap<&'static str, Callers> {
    let reading: &'static [Role] = &[Supervisor, Leader, Auditor];
    let doing: &'static [Role] = &[Supervisor, Leader];
    BTreeMap::from([
        ("GET /v1/drill-approvals", Some(&[Dispatcher, Supervisor, Leader, Auditor][..])),
        ("POST /v1/drill-approvals", Some(&[Leader])),
        ("GET /v1/special-checks", Some(reading)),
        ("POST /v1/special-checks", Some(doing)),
        ("POST /v1/special-checks/{id}/finding", Some(doing)),
        ("GET /v1/hard-cases", Some(reading)),
        ("GET /v1/media-cases", Some(reading)),
        ("POST /v1/cases/{id}/supervisions", Some(doing)),
        ("GET /v1/hotspots", Some(&[Dispatcher, UnitLeader, Supervisor, Leader, Auditor])),
    ])
}

/// Territories, the roster and notices.
fn of_duty() -> BTreeMap<&'static str, Callers> {
    let managers: &'static [Role] = &[Administrator, UnitLeader];
    let standing: &'static [Role] = &[
        Administrator,
        Dispatcher,
        IntakeClerk,
        UnitLeader,
        Inspector,
        TeamMember,
        Supervisor,
        Leader,
    ];
    BTreeMap::from([
        ("GET /v1/units/{id}/territory", ALL),
        ("PUT /v1/units/{id}/territory", ADMINISTRATORS),
        ("DELETE /v1/units/{id}/territory", ADMINISTRATORS),
        ("GET /v1/cases/{id}/unit-suggestions", DISPATCHERS),
        ("POST /v1/unit-suggestions", REGISTRARS),
        ("GET /v1/duty/now", ALL),
        ("GET /v1/duty/gaps", ALL),
        ("GET /v1/duty/shifts", ALL),
        ("GET /v1/duty/shifts/{id}", ALL),
        ("POST /v1/duty/shifts", Some(managers)),
        ("PUT /v1/duty/shifts/{id}", Some(managers)),
        ("DELETE /v1/duty/shifts/{id}", Some(managers)),
        ("POST /v1/duty/shifts/{id}/swap", Some(managers)),
        ("POST /v1/duty/imports", Some(managers)),
        ("POST /v1/duty/sign-on", Some(standing)),
        ("POST /v1/duty/sign-off", Some(standing)),
        ("GET /v1/notices", ALL),
        ("POST /v1/notices/read", ALL),
    ])
}

/// Phones, units, and who works where.
fn of_people() -> BTreeMap<&'static str, Callers> {
    let managers: &'static [Role] = &[Administrator, UnitLeader];
    let phone_readers: &'static [Role] = &[Administrator, UnitLeader, Supervisor, Auditor];
    BTreeMap::from([
        ("POST /v1/enrol", PHONES),
        ("POST /v1/token", PHONES),
        ("POST /v1/sync", PHONES),
        ("GET /v1/live", PHONES),
        ("POST /v1/uploads", PHONES),
        ("GET /v1/me", ALL),
        ("GET /v1/units", ALL),
        ("GET /v1/units/{id}", ALL),
        ("POST /v1/units", ADMINISTRATORS),
        ("PATCH /v1/units/{id}", ADMINISTRATORS),
        ("GET /v1/teams", ALL),
        ("POST /v1/teams", Some(managers)),
        ("GET /v1/people", ALL),
        ("GET /v1/people/{id}", ALL),
        ("POST /v1/people", ADMINISTRATORS),
        ("POST /v1/people/{id}/posts", ADMINISTRATORS),
        ("POST /v1/people/{id}/closure", ADMINISTRATORS),
        ("GET /v1/people/{id}/keys", ADMINISTRATORS),
        ("POST /v1/people/{id}/keys", ADMINISTRATORS),
        ("POST /v1/people/{id}/keys/{key}/revocation", ADMINISTRATORS),
        ("POST /v1/people/{id}/enrolment-codes", Some(managers)),
        ("GET /v1/devices", Some(phone_readers)),
        ("GET /v1/devices/{id}", Some(phone_readers)),
        ("POST /v1/devices/{id}/confirmation", Some(managers)),
        ("POST /v1/devices/{id}/revocation", Some(managers)),
    ])
}

/// Cases and supervision.
fn of_cases() -> BTreeMap<&'static str, Callers> {
    let case_readers: &'static [Role] =
        &[Dispatcher, IntakeClerk, UnitLeader, Inspector, TeamMember, Supervisor, Leader, Auditor];
    let pressing: &'static [Role] = &[Dispatcher, Supervisor];
    BTreeMap::from([
        ("GET /v1/orders", Some(case_readers)),
        ("GET /v1/clocks", Some(case_readers)),
        ("GET /v1/cases", Some(case_readers)),
        ("GET /v1/events", Some(case_readers)),
        ("GET /v1/cases/{id}", Some(case_readers)),
        ("GET /v1/cases/{id}/bundle", Some(&[Supervisor, Leader, Auditor])),
        ("POST /v1/cases", REGISTRARS),
        ("POST /v1/cases/{id}/coordination", DISPATCHERS),
        ("POST /v1/cases/{id}/telling", DISPATCHERS),
        ("POST /v1/cases/{id}/closure", DISPATCHERS),
        ("POST /v1/cases/{id}/reopening", Some(&[Dispatcher, Supervisor])),
        ("POST /v1/cases/{id}/orders", DISPATCHERS),
        ("POST /v1/cases/{id}/orders/{order}/withdrawal", DISPATCHERS),
        ("POST /v1/cases/{id}/orders/{order}/feedback", DISPATCHERS),
        ("POST /v1/cases/{id}/orders/{order}/receipt", Some(&[Dispatcher, UnitLeader])),
        ("POST /v1/cases/{id}/orders/{order}/urges", Some(pressing)),
        ("POST /v1/cases/{id}/orders/{order}/returns", Some(pressing)),
        ("POST /v1/cases/{id}/verdicts/{judged}/settlement", Some(&[Supervisor, Leader])),
        ("GET /v1/measures", Some(&[UnitLeader, Supervisor, Leader, Auditor])),
        ("POST /v1/cases/{id}/measures", Some(&[Supervisor, Leader])),
        ("POST /v1/cases/{id}/measures/{measure}/conclusion", Some(&[Supervisor, Leader])),
        ("GET /v1/evidence/{fact}", Some(case_readers)),
        ("GET /v1/evidence/{fact}/thumbnail", Some(case_readers)),
        ("GET /v1/evidence/{fact}/outward", Some(case_readers)),
        ("GET /v1/reuse", Some(&[Supervisor, Leader])),
        ("POST /v1/reuse/{id}/settlement", Some(&[Supervisor, Leader])),
        ("GET /v1/quarantine", Some(&[Supervisor, Auditor])),
        ("GET /v1/quarantine/{id}", Some(&[Supervisor, Auditor])),
        ("PUT /v1/cases/{id}/complainant", REGISTRARS),
        ("GET /v1/cases/{id}/complainant", REGISTRARS),
        ("DELETE /v1/cases/{id}/complainant", Some(&[Supervisor, Leader])),
        ("POST /v1/cases/{id}/complainant/reads", Some(&[Dispatcher, Supervisor])),
        ("GET /v1/cases/{id}/complainant/reads", Some(&[Supervisor, Auditor])),
        ("POST /v1/cases/{id}/call-backs", Some(&[UnitLeader, Inspector, TeamMember])),
        ("GET /v1/cases/{id}/call-backs", Some(&[UnitLeader, Inspector, TeamMember])),
        ("GET /v1/call-backs", DISPATCHERS),
        ("POST /v1/call-backs/{id}/answer", DISPATCHERS),
        ("GET /v1/draws", Some(&[Supervisor, Leader, Auditor])),
        ("GET /v1/draws/{id}/files", Some(&[Supervisor, Leader, Auditor])),
        ("POST /v1/draws", Some(&[Supervisor, Leader])),
        ("POST /v1/draws/{id}/seed", Some(&[Supervisor, Leader])),
        ("GET /v1/audit", Some(&[Auditor])),
        ("GET /v1/audit/checkpoint", Some(&[Auditor])),
        ("GET /v1/audit/{n}/proof", Some(&[Auditor])),
        ("POST /v1/quarantine/{id}/settlement", Some(&[Supervisor])),
    ])
}

/// Figures, and files to take away.
fn of_figures() -> BTreeMap<&'static str, Callers> {
    let counting: &'static [Role] = &[Dispatcher, UnitLeader, Supervisor, Leader, Auditor];
    BTreeMap::from([
        ("GET /v1/statistics", Some(counting)),
        ("GET /v1/exports/cases.csv", Some(counting)),
        ("GET /v1/exports/cases.geojson", Some(counting)),
        ("GET /v1/exports/cases.xlsx", Some(counting)),
        ("GET /v1/exports/statistics.xlsx", Some(counting)),
        ("GET /v1/exports/bulletin.docx", Some(counting)),
    ])
}

/// The same of intake.
fn expected_of_intake() -> [(&'static str, Callers); 22] {
    [
        ("GET /v1/matters", ALL),
        ("GET /v1/matters/{key}", ALL),
        ("POST /v1/matters", ADMINISTRATORS),
        ("PUT /v1/matters/{key}", ADMINISTRATORS),
        ("POST /v1/cases/{id}/refusal", REGISTRARS),
        ("POST /v1/cases/{id}/answer", REGISTRARS),
        ("GET /v1/cases/{id}/repeats", Some(&[Dispatcher, IntakeClerk, Leader])),
        ("POST /v1/cases/{id}/repeats", REGISTRARS),
        ("POST /v1/cases/{id}/repeats/{statement}/withdrawal", REGISTRARS),
        ("POST /v1/repeat-search", REGISTRARS),
        ("GET /v1/suggestions", Some(&[Dispatcher, Leader])),
        ("GET /open311/v2/services.json", OTHER_SYSTEMS),
        ("GET /open311/v2/services.xml", OTHER_SYSTEMS),
        ("GET /open311/v2/services/{code}", OTHER_SYSTEMS),
        ("GET /open311/v2/requests.json", OTHER_SYSTEMS),
        ("GET /open311/v2/requests.xml", OTHER_SYSTEMS),
        ("POST /open311/v2/requests.json", OTHER_SYSTEMS),
        ("POST /open311/v2/requests.xml", OTHER_SYSTEMS),
        ("GET /open311/v2/requests/{id}", OTHER_SYSTEMS),
        ("GET /open311/v2/requests/{id}/updates.json", OTHER_SYSTEMS),
        ("GET /open311/v2/requests/{id}/updates.xml", OTHER_SYSTEMS),
        ("GET /open311/v2/tokens/{id}", OTHER_SYSTEMS),
    ]
}

/// The same of telling complainants, and of text messages.
fn expected_of_messages() -> [(&'static str, Callers); 12] {
    [
        ("POST /v1/cases/{id}/attempts", DISPATCHERS),
        ("POST /v1/cases/{id}/opinions", DISPATCHERS),
        ("POST /v1/cases/{id}/opinions/{opinion}/settlement", DISPATCHERS),
        ("POST /v1/cases/{id}/messages", DISPATCHERS),
        ("GET /v1/messages", Some(&[Dispatcher, Leader, Auditor])),
        ("GET /v1/replies", DISPATCHERS),
        ("POST /v1/replies/{id}/reading", DISPATCHERS),
        ("POST /v1/replies/{id}/settlement", DISPATCHERS),
        ("GET /v1/message-templates", Some(&[Administrator, Dispatcher, Auditor])),
        ("GET /v1/message-templates/{key}", Some(&[Administrator, Dispatcher, Auditor])),
        ("POST /v1/message-templates", ADMINISTRATORS),
        ("PUT /v1/message-templates/{key}", ADMINISTRATORS),
    ]
}

/// The same of signing in: one's own, and other people's.
fn expected_of_sign_in() -> [(&'static str, Callers); 11] {
    [
        ("POST /v1/sign-out", ALL),
        ("GET /v1/me/sessions", ALL),
        ("POST /v1/me/sessions/{session}/revocation", ALL),
        ("POST /v1/me/password", ALL),
        ("POST /v1/me/recovery-codes", ALL),
        ("GET /v1/people/{id}/sign-in", ADMINISTRATORS),
        ("DELETE /v1/people/{id}/sign-in", ADMINISTRATORS),
        ("POST /v1/people/{id}/sign-in-invitations", ADMINISTRATORS),
        ("POST /v1/people/{id}/sessions/revocation", ADMINISTRATORS),
        ("PUT /v1/people/{id}/identity", ADMINISTRATORS),
        ("DELETE /v1/people/{id}/identity", ADMINISTRATORS),
    ]
}

/// How people come to credentials: what the body holds is what opens.
const OPEN_SIGN_IN: [&str; 5] = [
    "POST /v1/sign-in",
    "POST /v1/sign-in/invitation",
    "POST /v1/sign-in/confirmation",
    "POST /v1/sign-in/oidc",
    "POST /v1/sign-in/oidc/return",
];

/// What anybody may call: the API's description, the upload protocol's own, uploads, whose address is a
/// secret that only the phone was told, and the gateway's calls, which are signed with its key.
const OPEN: [&str; 10] = [
    "POST /v1/messages/receipts",
    "POST /v1/messages/inbound",
    "GET /v1/openapi.json",
    "GET /v1/docs",
    "GET /v1/docs/{file}",
    "OPTIONS /v1/uploads",
    "HEAD /v1/uploads/{upload}",
    "PATCH /v1/uploads/{upload}",
    "POST /v1/uploads/{upload}",
    "DELETE /v1/uploads/{upload}",
];

async fn every_route_admits_exactly_whom_this_table_names(store: TestStore) {
    let world = World::new(store).await;
    let keys = world.keys(&world.top().await).await;
    let mut expected = expected();
    expected.extend(expected_of_intake());
    expected.extend(expected_of_sign_in());
    expected.extend(expected_of_messages());
    let mut met = BTreeSet::new();
    let routes = crate::http::all();
    for route in routes.table() {
        let name = format!("{} {}", route.method, route.path);
        if route.access == Access::Open {
            assert!(
                OPEN.contains(&&name[..]) || OPEN_SIGN_IN.contains(&&name[..]),
                "{name}: say in this table that anybody may call it"
            );
            continue;
        }
        let callers = expected.get(name.as_str());
        let callers =
            callers.unwrap_or_else(|| panic!("{name}: say in this table who may call it"));
        let path = filled(route.path);
        let nobody = world.send(route.method.clone(), &path, &[], body(&route.method)).await;
        assert_eq!(nobody.status.as_u16(), 401, "{name} without credentials");
        for role in Role::ALL {
            let headers = bearer(&keys[&role]);
            let answer = world.send(route.method.clone(), &path, &headers, body(&route.method));
            let answer = answer.await;
            let refused = matches!(answer.status.as_u16(), 401 | 403);
            let admitted = callers.is_some_and(|roles| roles.contains(&role));
            assert_eq!(refused, !admitted, "{name} as {role}: {}", answer.code());
        }
        let for_desks =
            matches!(route.access, Access::May(_) | Access::Desk(_) | Access::ApiKey(_));
        assert_eq!(for_desks, callers.is_some(), "{name}");
        met.insert(name);
    }
    let stale: Vec<_> = expected.keys().filter(|name| !met.contains(**name)).collect();
    assert!(stale.is_empty(), "these routes do not exist: {stale:?}");
}

/// The path with ids that name nothing.
fn filled(path: &str) -> String {
    let id = match path.split('/').nth(2) {
        Some("devices") => "00000000000000aa",
        Some("quarantine" | "call-backs" | "reuse") => "1",
        _ => "00000000-0000-0000-0000-00000000ffff",
    };
    let fact = "0".repeat(32);
    path.replace("{id}", id)
        .replace("{n}", "0")
        .replace("{code}", "noise.json")
        .replace("{key}", &"0".repeat(64))
        .replace("{session}", &"0".repeat(64))
        .replace("{fact}", &fact)
        .replace("{order}", &fact)
        .replace("{statement}", &fact)
        .replace("{judged}", &fact)
        .replace("{opinion}", &fact)
}

fn body(method: &Method) -> Option<serde_json::Value> {
    (*method != Method::GET).then(|| json!({}))
}
