use onscene_sync_core::id::{DocId, UnitId};
use onscene_sync_core::sync::message::Bucket;
use serde_json::json;

use super::{Desks, raised, stalls};
use crate::hub::buckets;
use crate::store::testing::{TestStore, on_each_engine};

async fn what_is_not_ours_is_refused_on_record_with_where_to_go(store: TestStore) {
    let desks = Desks::new(store).await;
    let clock = &desks.world.clock;
    for (why, go) in [
        ("military", "军队"),
        ("judicial", "司法机关"),
        ("in_proceedings", "市人大常委会"),
        ("danger", "110"),
    ] {
        let case = desks.register(raised("help", "other", "not ours")).await;
        clock.advance(1);
        let path = format!("/v1/cases/{case}/refusal");
        let view = desks.post(&path, json!({ "why": why })).await.ok();
        assert_eq!(view["phase"], "closed");
        assert_eq!(view["refused"]["why"], why);
        assert!(view["refused"]["referral"].as_str().unwrap().contains(go), "{view}");
        let dispatch = view["clocks"].as_array().unwrap();
        assert!(dispatch.iter().all(|clock| clock["state"]["state"] != "running"), "{dispatch:?}");
        desks.post(&path, json!({ "why": why })).await.expect(409, "case_closed");
    }
    let case = desks.register(raised("help", "other", "not ours")).await;
    let path = format!("/v1/cases/{case}/refusal");
    desks.post(&path, json!({ "why": "too_much_work" })).await.expect(400, "invalid");
    let leak = json!({ "why": "judicial", "referral": "问13812345678" });
    desks.post(&path, leak).await.expect(422, "personal_data");
    desks.order(&case).await;
    desks.post(&path, json!({ "why": "judicial" })).await.expect(409, "already_ordered");
    assert!(desks.faults().await.is_empty());
}

async fn a_repeat_is_answered_from_the_case_in_hand_and_linked(store: TestStore) {
    let desks = Desks::new(store).await;
    let clock = &desks.world.clock;
    let first = desks.register(stalls("山大路摊贩占道", 36.651, 117.12)).await;
    clock.advance(60_000);
    let again = desks.register(stalls("山大路又有摊贩占道", 36.651, 117.12)).await;
    let path = format!("/v1/cases/{again}/answer");
    let answer = json!({ "from": first, "text": "中队正在处理，今日答复" });
    desks.post(&path, answer.clone()).await.expect(409, "nothing_to_answer_from");
    desks.order(&first).await;
    desks.post(&path, json!({ "from": first, "text": " " })).await.expect(400, "invalid");
    desks.post(&path, json!({ "from": again, "text": "x" })).await.expect(400, "invalid");
    let view = desks.post(&path, answer).await.ok();
    assert_eq!(view["phase"], "closed");
    assert_eq!(view["answers"][0]["from"], first);
    assert_eq!(view["answers"][0]["text"], "中队正在处理，今日答复");
    assert_eq!(view["repeats"][0]["case"], first, "the repeat is on record too");
    assert!(view["repeats"][0]["score"].as_u64().unwrap() >= 85, "{view}");
    assert_eq!(desks.case(&first).await["phase"], "ordered");
    assert!(desks.faults().await.is_empty());
}

async fn a_consultation_is_answered_from_a_written_answer(store: TestStore) {
    let desks = Desks::new(store).await;
    let ask = || raised("consultation", "permit_question", "户外广告设置需要哪些材料");
    let first = desks.register(ask()).await;
    let words = json!({ "text": "需提交申请表、效果图和场地证明" });
    desks.post(&format!("/v1/cases/{first}/telling"), words.clone()).await.ok();
    desks.post(&format!("/v1/cases/{first}/closure"), words).await.ok();
    desks.world.clock.advance(1);
    let again = desks.register(ask()).await;
    let refused = desks.register(raised("help", "other", "not ours")).await;
    desks.post(&format!("/v1/cases/{refused}/refusal"), json!({ "why": "judicial" })).await.ok();
    let path = format!("/v1/cases/{again}/answer");
    let from_refusal = json!({ "from": refused, "text": "x" });
    desks.post(&path, from_refusal).await.expect(409, "nothing_to_answer_from");
    let answer = json!({ "from": first, "text": "需提交申请表、效果图和场地证明" });
    let view = desks.post(&path, answer).await.ok();
    assert_eq!(
        (view["phase"].as_str(), view["answers"].as_array().unwrap().len()),
        (Some("closed"), 1)
    );
    assert_eq!(view["repeats"], json!([]), "another citizen may ask the same");
}

async fn leaders_hear_of_criticism_of_officers_at_once(store: TestStore) {
    let desks = Desks::new(store).await;
    let top: UnitId = desks.top.parse().unwrap();
    let criticism = desks.register(raised("complaint", "officer_conduct", "执法态度粗暴")).await;
    let ordinary = desks.register(raised("complaint", "noise", "喇叭太吵")).await;
    for (case, told) in [(criticism, true), (ordinary, false)] {
        let case: DocId = case.parse().unwrap();
        let buckets = desks.world.app.store.with_read("test", case, |tx, case| {
            Box::pin(async move { buckets::of_document(tx, *case).await })
        });
        let heard = buckets.await.unwrap().contains(&Bucket::Supervision(top));
        assert_eq!(heard, told, "{case}");
    }
}

on_each_engine!(
    what_is_not_ours_is_refused_on_record_with_where_to_go,
    a_repeat_is_answered_from_the_case_in_hand_and_linked,
    a_consultation_is_answered_from_a_written_answer,
    leaders_hear_of_criticism_of_officers_at_once,
);
