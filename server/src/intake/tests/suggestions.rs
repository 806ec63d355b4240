use super::{DAY, Desks, raised};
use crate::auth::Role::{Dispatcher, Leader};
use crate::intake::suggestions::{Group, Suggestion, to_csv};
use crate::store::testing::{TestStore, on_each_engine};

async fn suggestions_of_a_period_are_exported_alike_ones_together(store: TestStore) {
    let desks = Desks::new(store).await;
    let begin = desks.world.app.now().0;
    for (text, class) in [
        ("建议增加夜间公交班次", "suggestion"),
        ("建议在泉城路增设公共厕所", "suggestion"),
        ("泉城路公共厕所太脏", "complaint"),
        ("希望泉城路增设公共厕所", "suggestion"),
    ] {
        desks.register(raised(class, "suggestion", text)).await;
        desks.world.clock.advance(1);
    }
    desks.world.clock.advance(40 * DAY);
    desks.register(raised("suggestion", "suggestion", "建议多种树")).await;
    let path = format!("/v1/suggestions?from={begin}&until={}", begin + DAY);
    let answer = desks.get(Leader, &path).await.ok();
    let groups = answer["groups"].as_array().unwrap();
    let texts: Vec<Vec<_>> = groups
        .iter()
        .map(|group| group["suggestions"].as_array().unwrap())
        .map(|group| group.iter().map(|one| one["summary"].as_str().unwrap()).collect())
        .collect();
    let toilets = vec!["建议在泉城路增设公共厕所", "希望泉城路增设公共厕所"];
    assert_eq!(texts, [toilets, vec!["建议增加夜间公交班次"]]);

    let csv = desks.get(Dispatcher, &format!("{path}&format=csv")).await;
    assert!(csv.status.is_success());
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    desks.get(Leader, "/v1/suggestions?from=1").await.expect(400, "invalid");
}

#[test]
fn the_table_opens_in_a_spreadsheet_and_runs_nothing_there() {
    let one = |summary: &str| Suggestion {
        case: onscene_sync_core::id::DocId::from_bytes([1; 16]),
        number: "20261123-0001".to_owned(),
        registered_at: onscene_sync_core::time::Millis(1_795_392_000_000),
        matter: "suggestion".to_owned(),
        summary: summary.to_owned(),
    };
    let suggestions = vec![one("多种树，\"常青\"的"), one("=HYPERLINK(\"http://x\")")];
    let csv = to_csv(&[Group { group: 1, suggestions }], &crate::config::Bureau::default());
    let csv = String::from_utf8(csv).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("\u{feff}组号,同类数,编号,登记时间,事项,内容"));
    let first = "1,2,20261123-0001,2026-11-23 08:00:00,suggestion,\"多种树，\"\"常青\"\"的\"";
    assert_eq!(lines.next(), Some(first));
    assert!(lines.next().unwrap().ends_with(",\"'=HYPERLINK(\"\"http://x\"\")\""), "{csv}");
}

on_each_engine!(suggestions_of_a_period_are_exported_alike_ones_together);
