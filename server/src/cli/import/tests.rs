use encoding_rs::GB18030;

use super::*;
use crate::auth::tests::kit::{World, text};
use crate::store::testing::{TestStore, on_each_engine};

/// What a spreadsheet of a hotline looks like: a title, Chinese headings, times in several forms, a cell
/// with a line end, an empty line.
const SHEET: &str = "十一月转办件,,,,,,,,\r\n\
    工单编号,受理时间,诉求类型,问题类型,事发地点,诉求内容,来电人,联系电话,备注\r\n\
    A-1,2026/11/22 8:15,投诉,占道经营,山大路,\"流动摊贩\r\n占用\"\"人行道\"\"\",王小丫,13812345678,急\r\n\
    \r\n\
    A-2,46348.5,投诉类,噪声扰民,,\"喇叭,太吵\",,,\r\n\
    A-3,11/23/2026,投诉,噪声扰民,,太吵,,,\r\n\
    A-4,2026-11-23,投诉,噪音,,太吵,,,\r\n\
    A-5,2026-11-23,投诉,噪声扰民,,请回电13987654321,李四,13987654321,\r\n";

struct Desk {
    world: World,
    by: PersonId,
    key: String,
    dir: tempfile::TempDir,
}

impl Desk {
    async fn new(store: TestStore) -> Self {
        let world = World::new(store).await;
        let top = world.top().await;
        let person = world.person(Role::Dispatcher, &top).await;
        let key = world.key(&person).await;
        let dir = tempfile::tempdir().unwrap();
        Self { world, by: person.parse().unwrap(), key, dir }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn common(&self, file: PathBuf) -> Common {
        Common { file, by: self.by, source: None, radius: 100.0 }
    }

    /// Imports a table; what was printed, and whether everything was registered.
    async fn cases(&self, file: &Path) -> (String, bool) {
        let args = CasesArgs { common: self.common(file.to_owned()), datum: None };
        let mut out = Vec::new();
        let done = cases(&self.world.app, &args, std::fs::read(file).unwrap(), &mut out).await;
        assert!(matches!(done, Ok(()) | Err(CliError::NotAllImported)), "{done:?}");
        (String::from_utf8(out).unwrap(), done.is_ok())
    }

    async fn requests(&self, file: &Path, maps: &[(&str, &str)]) -> (String, bool) {
        let maps = maps.iter().map(|(code, key)| ((*code).to_owned(), (*key).to_owned())).collect();
        let args = Open311Args { common: self.common(file.to_owned()), maps };
        let mut out = Vec::new();
        let bytes = std::fs::read(file).unwrap();
        let done = requests(&self.world.app, args, &bytes, &mut out).await;
        assert!(matches!(done, Ok(()) | Err(CliError::NotAllImported)), "{done:?}");
        (String::from_utf8(out).unwrap(), done.is_ok())
    }

    /// All cases, oldest first.
    async fn on_record(&self) -> Vec<serde_json::Value> {
        let list = self.world.get(&self.key, "/v1/cases?limit=200").await.ok();
        let mut cases = Vec::new();
        for row in list["cases"].as_array().unwrap() {
            let path = format!("/v1/cases/{}", text(&row["id"]));
            cases.push(self.world.get(&self.key, &path).await.ok());
        }
        cases.sort_by_key(|case| text(&case["number"]));
        cases
    }
}

async fn a_sheet_is_registered_line_by_line_and_no_line_is_lost(store: TestStore) {
    let desk = Desk::new(store).await;
    let file = desk.file("cases.csv", &GB18030.encode(SHEET).0);
    let (out, all) = desk.cases(&file).await;
    assert!(!all);
    assert!(
        out.starts_with("5 cases, written in gb18030\nthe column `备注` is not read\n"),
        "{out}"
    );
    assert!(out.contains("line 7: RaisedAt `11/23/2026` does not begin with a year"), "{out}");
    assert!(
        out.contains("line 8: `噪音` is no open kind of matter: did you mean `noise`"),
        "{out}"
    );
    assert!(out.contains("line 9: `summary`: characters"), "{out}");
    assert!(out.contains("2 registered, 0 on record before, 3 not registered"), "{out}");
    assert!(!out.contains("13987654321") && !out.contains("李四"), "{out}");

    let cases = desk.on_record().await;
    let about = |n: usize| &cases[n]["registration"];
    assert_eq!(about(0)["summary"], "山大路：流动摊贩\r\n占用\"人行道\"");
    assert_eq!(about(0)["matter"], "street_vending");
    assert_eq!(cases[0]["origin"]["reference"], "A-1");
    assert_eq!(cases[0]["origin"]["raised_at"], 1_795_306_500_000_i64);
    assert_eq!(
        cases[1]["origin"]["raised_at"], 1_795_320_000_000_i64,
        "noon of a spreadsheet's day"
    );
    assert!(
        !cases[0].to_string().contains("13812345678") && !cases[0].to_string().contains("王小丫")
    );
    let held = format!("/v1/cases/{}/complainant", text(&cases[0]["id"]));
    assert!(desk.world.get(&desk.key, &held).await.ok()["complainant"]["stored_at"].is_i64());

    // Kept as it was, title and headings included, for its owner alone; mended, it goes in.
    let kept = desk.dir.path().join("cases.rejected.csv");
    let bytes = std::fs::read(&kept).unwrap();
    let lines = GB18030.decode(&bytes).0.into_owned();
    let rejected: Vec<_> =
        SHEET.split_inclusive("\r\n").filter(|line| !line.starts_with("A-1")).collect();
    assert!(
        lines.contains(rejected.iter().find(|line| line.starts_with("A-4")).unwrap()),
        "{lines}"
    );
    assert!(lines.contains("十一月转办件") && !lines.contains("A-2"), "{lines}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o077, 0);
    let mended = lines.replace("11/23/2026", "2026-11-23").replace("噪音", "噪声扰民");
    let mended = mended.replace("请回电13987654321", "请回电");
    let file = desk.file("mended.csv", mended.as_bytes());
    let (out, all) = desk.cases(&file).await;
    assert!(all && out.contains("3 registered, 0 on record before, 0 not registered"), "{out}");
}

async fn importing_again_registers_nothing_twice_and_changes_nothing(store: TestStore) {
    let desk = Desk::new(store).await;
    let sheet = "事项,内容,编号\n噪声扰民,太吵,\n噪声扰民,太吵,\n噪声扰民,夜里太吵,B-1\n";
    let file = desk.file("cases.csv", sheet.as_bytes());
    let (out, _) = desk.cases(&file).await;
    assert!(out.contains("3 registered"), "two callers may say the same: {out}");
    let (out, all) = desk.cases(&file).await;
    assert!(all && out.contains("0 registered, 3 on record before"), "{out}");
    let changed = desk.file("cases.csv", sheet.replace("夜里", "白天").as_bytes());
    let (out, all) = desk.cases(&changed).await;
    assert!(!all && out.contains("`B-1` is on record as case 20261123-0003 with another"), "{out}");
    assert_eq!(desk.on_record().await.len(), 3);
    // A second sheet with the same rejects does not write over the file that is being mended.
    desk.cases(&changed).await;
    assert!(desk.dir.path().join("cases.rejected-2.csv").exists());
}

async fn coordinates_need_a_datum(store: TestStore) {
    let desk = Desk::new(store).await;
    let sheet = "事项,内容,纬度,经度,坐标系\n\
        噪声扰民,一,36.65,117.12,\n\
        噪声扰民,二,36.65,117.12,GCJ-02\n\
        噪声扰民,三,117.12,36.65,WGS84\n\
        噪声扰民,四,36.65,,WGS84\n";
    let (out, _) = desk.cases(&desk.file("cases.csv", sheet.as_bytes())).await;
    assert!(out.contains("line 2: has coordinates of no named datum"), "{out}");
    assert!(out.contains("line 4: `site`") && out.contains("swapped?"), "{out}");
    assert!(out.contains("line 5: has only one of latitude and longitude"), "{out}");
    let cases = desk.on_record().await;
    assert_eq!(cases[0]["site"]["datum"], "gcj02");
    assert!((cases[0]["site"]["circle"]["radius_m"].as_f64().unwrap() - 100.0).abs() < 1e-9);
}

async fn only_who_registers_cases_imports_them(store: TestStore) {
    let desk = Desk::new(store).await;
    let top = desk.world.top().await;
    let leader = desk.world.person(Role::Leader, &top).await.parse().unwrap();
    for by in [leader, PersonId::from_bytes([7; 16])] {
        let refused = prepare(&desk.world.app, by).await.unwrap_err();
        assert!(refused.to_string().contains("name a dispatcher"), "{refused}");
    }
}

/// Requests of the shape of the specification's own example (GeoReport v2, "GET Service Requests"): a
/// number where a text is due, nulls, a closed one with notes.
const REQUESTS: &str = r#"[
  { "service_request_id": 638344, "status": "closed", "status_notes": "Duplicate request.",
    "service_name": "Sidewalk and Curb Issues", "service_code": "006", "description": null,
    "requested_datetime": "2010-04-14T06:37:38-08:00", "address": "8TH AVE and JUDAH ST",
    "lat": 37.762221815, "long": -122.4651145, "media_url": "http://city.example/638344.jpg" },
  { "service_request_id": "638349", "status": "open", "service_name": "noise", "service_code": "noise",
    "description": "A horn & a drum", "requested_datetime": "2010-04-19T06:37:38-08:00" },
  { "service_request_id": "638350", "status": "open", "service_name": "Graffiti", "service_code": "9" },
  { "status": "open" }
]"#;

const REQUESTS_XML: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<service_requests>\n<request>\
    <service_request_id>638349</service_request_id><status>open</status>\
    <service_name>noise</service_name><service_code>noise</service_code>\
    <description>A horn &amp; a <![CDATA[drum]]></description>\
    <requested_datetime>2010-04-19T06:37:38-08:00</requested_datetime><lat>36.65</lat>\
    <long>117.12</long><media_url/></request></service_requests>";

async fn service_requests_of_another_city_come_in_as_json_and_xml(store: TestStore) {
    let desk = Desk::new(store).await;
    let file = desk.file("requests.json", REQUESTS.as_bytes());
    let (out, all) = desk.requests(&file, &[("006", "road_damage")]).await;
    assert!(!all && out.contains("2 registered, 0 on record before, 2 not registered"), "{out}");
    assert!(out.contains("request 3: `9` (Graffiti)") && out.contains("--map 9=KEY"), "{out}");
    assert!(out.contains("request 4: has no `service_request_id`"), "{out}");
    let cases = desk.on_record().await;
    assert_eq!(cases[0]["phase"], "closed");
    assert_eq!(
        cases[0]["registration"]["summary"],
        "Sidewalk and Curb Issues：8TH AVE and JUDAH ST"
    );
    assert_eq!(cases[0]["origin"]["link"], "http://city.example/638344.jpg");
    assert_eq!(cases[0]["origin"]["raised_at"], 1_271_255_858_000_i64);
    assert_eq!(cases[0]["site"]["datum"], "wgs84");
    assert_eq!(cases[1]["registration"]["summary"], "A horn & a drum");

    let rest = desk.dir.path().join("requests.rejected.json");
    let (out, _) = desk.requests(&rest, &[("*", "other")]).await;
    assert!(out.contains("1 registered, 0 on record before, 1 not registered"), "{out}");

    let file = desk.file("requests.xml", REQUESTS_XML.as_bytes());
    let args = Open311Args {
        common: Common { source: Some("another city".to_owned()), ..desk.common(file) },
        maps: Vec::new(),
    };
    let mut out = Vec::new();
    requests(&desk.world.app, args, REQUESTS_XML.as_bytes(), &mut out).await.unwrap();
    let cases = desk.on_record().await;
    assert_eq!(cases[3]["registration"]["summary"], "A horn & a drum");
    assert_eq!(cases[3]["origin"]["source"], "another city");
}

#[test]
fn files_that_hold_no_requests_are_said_to_hold_none() {
    let choices = open311::Choices { matters: BTreeMap::new(), radius_m: 100.0 };
    for wrong in ["", "{}", "7", "[", "<service_requests><request>", "<a>&nope;</a>", "<a></b>"] {
        assert!(open311::read(wrong.as_bytes(), &[], &choices).is_err(), "{wrong}");
    }
    assert_eq!(open311::read(b"[]", &[], &choices), Ok(Vec::new()));
}

on_each_engine!(
    a_sheet_is_registered_line_by_line_and_no_line_is_lost,
    importing_again_registers_nothing_twice_and_changes_nothing,
    coordinates_need_a_datum,
    only_who_registers_cases_imports_them,
    service_requests_of_another_city_come_in_as_json_and_xml,
);
