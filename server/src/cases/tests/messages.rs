//! Text messages to complainants: sent, delivered, lost, answered.

use axum::http::Method;
use futures_util::future::join_all;
use onscene_sync_core::id::UnitId;
use serde_json::{Value, json};

use super::bureau::{Bureau, DISTRICT, MINUTE, clock, text, vending};
use crate::auth::Role;
use crate::cases::project::faults;
use crate::jobs::work_due;
use crate::messages::testing::{FakeGateway, Fault};
use crate::store::StoreError;
use crate::store::testing::{TestStore, on_each_engine};

const NUMBER: &str = "139-0777-1234";
const HOUR: i64 = 60 * MINUTE;
const RECEIPTS: &str = "/v1/messages/receipts";
const INBOUND: &str = "/v1/messages/inbound";
const SUPERVISOR: (Role, UnitId) = (Role::Supervisor, DISTRICT);

struct Trial {
    bureau: Bureau,
    gateway: FakeGateway,
    nonce: u8,
}

impl Trial {
    async fn new(store: TestStore) -> Self {
        let gateway = FakeGateway::start().await;
        let bureau = Bureau::with_gateway(store, &gateway.sms).await;
        gateway.by(&bureau.clock);
        Self { bureau, gateway, nonce: 0 }
    }

    /// A case with a complainant and a result; its id and its order's.
    async fn worked(&self, number: &str) -> (String, String) {
        let mut new = vending();
        new["complainant"] = json!({ "name": "金丝雀", "number": number });
        let case = text(&self.bureau.post("/v1/cases", new).await.ok()["id"]);
        let order = self.bureau.worked(&case, "corrected").await;
        (case, order)
    }

    /// Has a message sent that asks for an opinion; returns its id.
    async fn order(&self, case: &str) -> String {
        let path = format!("/v1/cases/{case}/messages");
        let view = self.bureau.post(&path, json!({ "template": "result_opinion" })).await.ok();
        text(&view["messages"].as_array().unwrap().last().unwrap()["id"])
    }

    /// Time for another attempt, and the attempt.
    async fn later(&self, ms: i64) {
        self.bureau.clock.advance(ms);
        work_due(&self.bureau.app).await.unwrap();
    }

    /// Sends what waits, attempt by attempt, until nothing does.
    async fn send_all(&self) {
        for _ in 0..12 {
            self.later(MINUTE).await;
        }
    }

    async fn message(&self, case: &str) -> Value {
        let messages = self.bureau.case(case).await["messages"].clone();
        messages.as_array().unwrap().last().unwrap().clone()
    }

    async fn call(&mut self, path: &str, body: Value) -> u16 {
        self.nonce += 1;
        let now = self.bureau.app.now();
        self.bureau.raw(self.gateway.calls(path, &body, now, self.nonce)).await.0
    }

    async fn receipt(&mut self, message: &str, state: &str) -> u16 {
        self.call(RECEIPTS, json!({ "message": message, "state": state, "reason": "absent" })).await
    }

    async fn reply(&mut self, id: &str, from: &str, words: &str) -> u16 {
        self.call(INBOUND, json!({ "id": id, "from": from, "text": words })).await
    }
}

async fn a_complainant_is_told_when_the_message_arrived_and_not_before(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    let id = trial.order(&case).await;
    let again = format!("/v1/cases/{case}/messages");
    let body = json!({ "template": "result" });
    trial.bureau.post(&again, body).await.refused(409, "message_under_way");
    assert_eq!(trial.message(&case).await["state"], "queued");
    trial.later(1).await;
    let message = trial.message(&case).await;
    assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)));
    let sent = trial.gateway.sent();
    assert_eq!((sent.len(), &sent[0].to[..]), (1, NUMBER));
    assert!(sent[0].text.contains("20261123-0001") && sent[0].text.contains("当事人已改正"));
    assert_eq!(trial.bureau.case(&case).await["phase"], "fed_back", "sent is not told");

    assert_eq!(trial.receipt(&id, "delivered").await, 204);
    let view = trial.bureau.case(&case).await;
    assert_eq!(
        (&view["phase"], &view["messages"][0]["state"]),
        (&json!("told"), &json!("delivered"))
    );
    assert_eq!(view["told"][0]["text"], "told by text message");
    assert_eq!(clock(&view, "complainant_feedback")["state"], "met");
    assert!(!view.to_string().contains("0777"), "{view}");

    let reads = format!("/v1/cases/{case}/complainant/reads");
    let reads = trial.bureau.send(SUPERVISOR, Method::GET, &reads, None, None).await.ok();
    let look = &reads["reads"][0];
    assert_eq!(
        (&look["purpose"], reads["reads"].as_array().unwrap().len()),
        (&json!("message"), 1)
    );
    assert_eq!(look["reason"], format!("text message {id}"));
    assert_eq!(
        trial.bureau.count("audit_entry WHERE action = 20").await,
        1,
        "in the log like any look"
    );
    assert!(faults(&trial.bureau.app.store).await.unwrap().is_empty());
}

async fn a_lost_answer_is_asked_about_and_nothing_is_sent_twice(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.gateway.meets(&[Fault::AnswerLost, Fault::Status(500)]);
    let id = trial.order(&case).await;
    trial.later(1).await;
    assert_eq!(trial.message(&case).await["state"], "queued", "nobody knows");
    trial.send_all().await;
    assert_eq!(trial.message(&case).await["state"], "sent");
    assert_eq!(trial.gateway.requests(), ["PUT", "GET", "GET"]);
    assert_eq!(trial.gateway.sent().len(), 1);

    // One that never arrived is handed over once the gateway says that it does not know it.
    assert_eq!(trial.receipt(&id, "delivered").await, 204);
    let (other, _) = trial.worked("13800000001").await;
    trial.gateway.meets(&[Fault::Silence]);
    trial.order(&other).await;
    trial.later(1).await;
    trial.send_all().await;
    assert_eq!(trial.message(&other).await["state"], "sent");
    assert_eq!(trial.gateway.requests()[3..], ["PUT", "GET", "PUT"]);
    assert_eq!(
        trial.bureau.count("complainant_read").await,
        3,
        "each time that it left is on record"
    );
}

async fn whatever_the_gateway_answers_the_message_waits_and_goes_nowhere_else(store: TestStore) {
    let trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    let odd = [Fault::Status(401), Fault::Status(503), Fault::Garbage, Fault::Redirect];
    trial.gateway.meets(&odd);
    trial.order(&case).await;
    trial.later(1).await;
    trial.send_all().await;
    assert_eq!(trial.message(&case).await["state"], "sent");
    assert_eq!((trial.gateway.sent().len(), trial.gateway.elsewhere()), (1, 0));
    assert_eq!(trial.bureau.count("job WHERE failed_at IS NOT NULL").await, 0);
}

async fn a_gateway_that_failed_is_left_alone_for_a_moment(store: TestStore) {
    let trial = Trial::new(store).await;
    for n in 0..5 {
        let (case, _) = trial.worked(&format!("1380000000{n}")).await;
        trial.order(&case).await;
    }
    trial.gateway.meets(&[Fault::Silence]);
    trial.later(5_000).await;
    assert_eq!(trial.gateway.requests().len(), 1, "one waits for it, and not all five");
    assert_eq!(trial.bureau.count("complainant_read").await, 1, "no number is read for nothing");
    trial.send_all().await;
    assert_eq!(trial.gateway.sent().len(), 5);
}

async fn what_did_not_arrive_is_shown_counted_and_sent_again(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.gateway.meets(&[Fault::Status(422)]);
    let refused = trial.order(&case).await;
    trial.later(1).await;
    let message = trial.message(&case).await;
    assert_eq!(
        (&message["state"], &message["reason"]),
        (&json!("not_delivered"), &json!("refused_422"))
    );
    let counted = "/v1/cases?counted_in=message_not_delivered";
    let cases = trial.bureau.get(counted).await.ok();
    assert_eq!(cases["cases"][0]["id"], case, "also what the gateway never took");
    let failed = trial.order(&case).await;
    trial.later(2 * MINUTE).await;
    assert_eq!(trial.receipt(&failed, "failed").await, 204);

    let list = trial.bureau.get("/v1/messages?state=not_delivered").await.ok();
    let ids: Vec<_> =
        list["messages"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
    assert_eq!(ids, [failed.clone(), refused.clone()], "newest first");
    assert_eq!(list["messages"][0]["reason"], "absent");
    assert_eq!(list["messages"][1]["resent_as"], failed);
    let view = trial.bureau.case(&case).await;
    let attempts = view["not_reached"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "what the gateway never took was no attempt: {view}");
    assert_eq!(attempts[0]["message"], failed);
    assert_eq!(trial.bureau.get(counted).await.ok()["cases"].as_array().unwrap().len(), 1);
    let figures = trial.bureau.get("/v1/statistics?month=2026-11").await.ok();
    assert_eq!(figures["total"]["counts"]["message_not_delivered"], 1);

    let third = trial.order(&case).await;
    trial.later(2 * MINUTE).await;
    assert_eq!(trial.receipt(&third, "delivered").await, 204);
    assert_eq!(trial.bureau.case(&case).await["phase"], "told");
    trial.bureau.get("/v1/messages?state=lost").await.refused(400, "invalid");
}

async fn receipts_doubled_late_or_out_of_order_do_no_harm(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.gateway.meets(&[Fault::AnswerLost]);
    let id = trial.order(&case).await;
    trial.later(1).await;
    let left = trial.bureau.app.now();
    trial.bureau.clock.advance(MINUTE);
    // The receipt is here before anybody knows that the gateway took the message.
    for _ in 0..2 {
        assert_eq!(trial.receipt(&id, "delivered").await, 204);
    }
    assert_eq!(trial.receipt(&id, "accepted").await, 204);
    trial.send_all().await;
    let view = trial.bureau.case(&case).await;
    assert_eq!(
        (&view["messages"][0]["state"], &view["phase"]),
        (&json!("delivered"), &json!("told"))
    );
    assert_eq!(view["told"].as_array().unwrap().len(), 1);
    assert_eq!(view["told"][0]["at"], json!(left), "not when the receipt came");
    assert!(view["messages"][0]["contradicted_at"].is_null());
    for _ in 0..2 {
        assert_eq!(trial.receipt(&id, "failed").await, 204);
    }
    let view = trial.bureau.case(&case).await;
    let message = &view["messages"][0];
    assert_eq!((&message["state"], &message["reason"]), (&json!("delivered"), &json!("absent")));
    assert!(message["contradicted_at"].is_i64(), "the gateway said otherwise, and it shows");
    assert_eq!(view["phase"], "told");
}

async fn a_call_that_is_not_signed_stale_or_replayed_is_refused(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    let id = trial.order(&case).await;
    trial.later(1).await;
    let now = trial.bureau.app.now();
    let body = json!({ "message": id, "state": "delivered" });
    let call = |path: &str, at, nonce| trial.gateway.calls(path, &body, at, nonce);
    let mut unsigned = call(RECEIPTS, now, 1);
    unsigned.headers_mut().remove("signature");
    let mut forged = FakeGateway::start().await;
    forged.sms.secret.0 = "another secret of thirty-two letters".to_owned();
    let mut elsewhere = call(INBOUND, now, 1);
    *elsewhere.uri_mut() = RECEIPTS.parse().unwrap();
    let mut with_query = call(RECEIPTS, now, 1);
    *with_query.uri_mut() = format!("{RECEIPTS}?a=1").parse().unwrap();
    let refused = [
        unsigned,
        forged.calls(RECEIPTS, &body, now, 1),
        elsewhere,
        with_query,
        call(RECEIPTS, now.plus(-6 * MINUTE), 1),
    ];
    for request in refused {
        let (status, answer) = trial.bureau.raw(request).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(status == 401 && answer.contains("bad_signature"), "{answer}");
    }
    assert_eq!(trial.message(&case).await["state"], "sent");
    assert_eq!(trial.bureau.raw(call(RECEIPTS, now, 2)).await.0, 204);
    assert_eq!(trial.bureau.raw(call(RECEIPTS, now, 2)).await.0, 401, "the same signature again");
    let unknown = "00000000-0000-0000-0000-00000000ffff";
    assert_eq!(trial.receipt(unknown, "delivered").await, 404);
    let number = json!({ "message": "13907771234", "state": NUMBER });
    let (status, answer) = trial.bureau.raw(trial.gateway.calls(RECEIPTS, &number, now, 77)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(status == 400 && !answer.contains("0777") && !answer.contains("1390"), "{answer}");
}

async fn a_message_that_nothing_is_heard_of_expires_unless_the_gateway_knows_better(
    store: TestStore,
) {
    let trial = Trial::new(store).await;
    let (silent, _) = trial.worked(NUMBER).await;
    let (arrived, _) = trial.worked("13800000001").await;
    trial.order(&silent).await;
    let known = trial.order(&arrived).await;
    trial.later(MINUTE).await;
    assert_eq!(trial.gateway.sent().len(), 2);
    trial.gateway.settle(&known, "delivered");
    trial.later(24 * HOUR).await;
    for _ in 0..22 {
        trial.later(HOUR).await;
        assert_eq!(trial.message(&silent).await["state"], "sent", "the gateway is asked again");
    }
    trial.later(HOUR).await;
    trial.later(HOUR).await;
    let message = trial.message(&silent).await;
    assert_eq!((&message["state"], &message["reason"]), (&json!("expired"), &json!("no_receipt")));
    assert!(trial.gateway.requests().len() < 2 + 30, "with growing waits");
    assert_eq!(trial.message(&arrived).await["state"], "delivered", "its receipt was lost");
    assert_eq!(trial.bureau.case(&arrived).await["phase"], "told");
    assert_eq!(trial.bureau.case(&silent).await["phase"], "fed_back");
}

async fn a_message_counts_from_when_it_left_however_late_the_gateway_says_so(store: TestStore) {
    let trial = Trial::new(store).await;
    let (arrived, _) = trial.worked(NUMBER).await;
    let (lost, _) = trial.worked("13800000001").await;
    let known = trial.order(&arrived).await;
    trial.order(&lost).await;
    trial.gateway.meets(&[Fault::AnswerLost]);
    trial.later(2_000).await;
    let left = trial.bureau.app.now();
    trial.later(MINUTE).await;
    let sent = trial.message(&arrived).await;
    assert_eq!(
        (&sent["state"], &sent["sent_at"]),
        (&json!("sent"), &json!(left)),
        "not when asked"
    );
    // Its receipt is lost, and when its time is over the gateway is out of order.
    trial.gateway.settle(&known, "delivered");
    trial.gateway.meets(&[Fault::Status(503)]);
    trial.later(24 * HOUR).await;
    assert_eq!(trial.message(&arrived).await["state"], "sent");
    let view = trial.bureau.case(&arrived).await;
    assert_eq!(clock(&view, "complainant_feedback")["state"], "breached", "nobody knows yet");
    trial.later(10 * MINUTE).await;
    let view = trial.bureau.case(&arrived).await;
    let met = clock(&view, "complainant_feedback");
    assert_eq!((&met["state"], &met["stopped_at"]), (&json!("met"), &json!(left)));
    assert_eq!((&view["phase"], &view["told"][0]["at"]), (&json!("told"), &json!(left)));

    // One that nothing was ever heard of: the centre has the day on which that came out.
    for _ in 0..25 {
        trial.later(HOUR).await;
    }
    let view = trial.bureau.case(&lost).await;
    assert_eq!(view["messages"][0]["state"], "expired");
    assert_eq!(view["not_reached"][0]["at"], view["messages"][0]["sent_at"]);
    assert_eq!(clock(&view, "complainant_feedback")["state"], "running");
    let told = json!({ "text": "told by telephone" });
    let view = trial.bureau.post(&format!("/v1/cases/{lost}/telling"), told).await.ok();
    assert_eq!(clock(&view, "complainant_feedback")["state"], "met");
    assert!(faults(&trial.bureau.app.store).await.unwrap().is_empty());
}

async fn a_message_that_leaves_while_the_clock_is_set_back_tells_all_the_same(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.bureau.clock.advance(-10 * MINUTE);
    let message = trial.order(&case).await;
    trial.later(1).await;
    assert_eq!(trial.message(&case).await["state"], "sent");
    trial.bureau.clock.advance(20 * MINUTE);
    assert_eq!(trial.receipt(&message, "delivered").await, 204);
    let view = trial.bureau.case(&case).await;
    assert_eq!(view["phase"], "told", "{view}");
    assert_eq!(clock(&view, "complainant_feedback")["state"], "met");
}

async fn a_message_that_never_left_is_counted_when_its_time_is_over(store: TestStore) {
    let trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.gateway.meets(&[Fault::Status(503); 400]);
    trial.order(&case).await;
    for _ in 0..50 {
        trial.later(HOUR).await;
    }
    let message = trial.message(&case).await;
    assert_eq!((&message["state"], &message["sent_at"]), (&json!("expired"), &Value::Null));
    assert_eq!(trial.bureau.case(&case).await["not_reached"], json!([]), "nobody was tried");
    let counted = "/v1/cases?counted_in=message_not_delivered";
    assert_eq!(trial.bureau.get(counted).await.ok()["cases"][0]["id"], case);
}

async fn a_message_about_work_that_was_sent_back_tells_nobody_the_next_result(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, order) = trial.worked(NUMBER).await;
    let id = trial.order(&case).await;
    trial.later(1).await;
    let path = |what: &str| format!("/v1/cases/{case}/orders/{order}/{what}");
    trial.bureau.post(&path("returns"), json!({ "reason": "not done" })).await.ok();
    trial.bureau.clock.advance(MINUTE);
    trial.bureau.post(&path("feedback"), json!({ "result": "stopped" })).await.ok();
    assert_eq!(trial.receipt(&id, "delivered").await, 204);
    assert_eq!(trial.reply("r1", NUMBER, "1").await, 204);
    let view = trial.bureau.case(&case).await;
    assert_eq!((&view["phase"], &view["missing"]), (&json!("fed_back"), &json!(["telling"])));
    assert_eq!(view["opinions"], json!([]), "it was about the work that was sent back");
    assert_eq!(trial.bureau.get("/v1/replies").await.ok()["replies"][0]["case"], case);
}

async fn a_message_that_was_overtaken_while_it_waited_does_not_leave(store: TestStore) {
    let trial = Trial::new(store).await;
    let (case, order) = trial.worked(NUMBER).await;
    trial.order(&case).await;
    let returns = format!("/v1/cases/{case}/orders/{order}/returns");
    trial.bureau.post(&returns, json!({ "reason": "not done" })).await.ok();
    trial.send_all().await;
    assert_eq!(trial.gateway.requests().len(), 0);
    assert_eq!(trial.bureau.count("complainant_read").await, 0, "no number is read for nothing");
    let view = trial.bureau.case(&case).await;
    assert_eq!(view["messages"][0]["reason"], "overtaken");
    let counted = "/v1/cases?counted_in=message_not_delivered";
    assert_eq!(trial.bureau.get(counted).await.ok()["cases"], json!([]), "it was not to arrive");
    assert_eq!(view["not_reached"], json!([]), "nobody was tried");
}

async fn words_of_a_complainant_do_not_deliver_what_was_never_handed_over(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.gateway.meets(&[Fault::Silence]);
    trial.order(&case).await;
    trial.later(1).await;
    assert_eq!(trial.message(&case).await["state"], "queued");
    assert_eq!(trial.reply("r1", NUMBER, "3").await, 204);
    let view = trial.bureau.case(&case).await;
    assert_eq!((&view["messages"][0]["state"], &view["opinions"]), (&json!("queued"), &json!([])));
    assert_eq!(trial.bureau.get("/v1/replies").await.ok()["replies"].as_array().unwrap().len(), 1);
}

async fn a_reply_is_the_complainants_opinion(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.order(&case).await;
    trial.later(1).await;
    // It is here before the receipt: who answers a message has it.
    for _ in 0..2 {
        assert_eq!(trial.reply("r1", "+86 13907771234", "３").await, 204);
    }
    let view = trial.bureau.case(&case).await;
    assert_eq!((&view["phase"], &view["missing"]), (&json!("told"), &json!(["decision"])));
    let opinions = view["opinions"].as_array().unwrap();
    assert_eq!((opinions.len(), &opinions[0]["opinion"]), (1, &json!("not_satisfied")));
    assert_eq!(opinions[0]["message"], view["messages"][0]["id"]);
    assert_eq!(trial.bureau.get("/v1/replies").await.ok()["replies"], json!([]), "nothing is left");

    assert_eq!(trial.reply("r2", NUMBER, "1").await, 204);
    let view = trial.bureau.case(&case).await;
    assert_eq!(view["opinions"].as_array().unwrap().len(), 1, "the first answer counts");
    assert_eq!(trial.bureau.get("/v1/replies").await.ok()["replies"].as_array().unwrap().len(), 1);
}

async fn a_reply_that_is_not_plain_waits_for_a_person(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    trial.order(&case).await;
    trial.later(1).await;
    assert_eq!(trial.reply("r1", "13811112222", "3").await, 204, "a stranger");
    assert_eq!(trial.reply("r2", NUMBER, "3，夜里还有，请打13907771234").await, 204);
    let waiting = trial.bureau.get("/v1/replies").await.ok();
    let cases: Vec<_> = (0..2).map(|n| waiting["replies"][n]["case"].clone()).collect();
    assert_eq!(cases, [Value::Null, json!(case)]);
    assert_eq!(waiting["replies"][1]["opinion"], "not_satisfied");
    assert!(!waiting.to_string().contains("0777"), "{waiting}");

    let path = format!("/v1/replies/{}", text(&waiting["replies"][1]["id"]));
    let reading = format!("{path}/reading");
    trial.bureau.post(&reading, json!({ "reason": " " })).await.refused(400, "invalid");
    let read = trial.bureau.post(&reading, json!({ "reason": "not content" })).await.ok();
    assert_eq!(read["reply"]["text"], "3，夜里还有，请打13907771234");
    assert_eq!(trial.bureau.count("audit_entry WHERE action = 86").await, 1);
    let left = trial.bureau.post(&format!("{path}/settlement"), json!({})).await.ok();
    assert_eq!(left["replies"].as_array().unwrap().len(), 1);
    trial.bureau.post(&format!("{path}/settlement"), json!({})).await.refused(404, "not_found");

    let erase = format!("/v1/cases/{case}/complainant");
    trial.bureau.send(SUPERVISOR, Method::DELETE, &erase, None, None).await.ok();
    trial
        .bureau
        .post(&reading, json!({ "reason": "again" }))
        .await
        .refused(410, "complainant_erased");
}

async fn replies_are_listed_page_by_page_to_the_last(store: TestStore) {
    let mut trial = Trial::new(store).await;
    for n in 0..5 {
        assert_eq!(trial.reply(&format!("r{n}"), "13811112222", "hello").await, 204);
        trial.bureau.clock.advance(1);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/replies?limit=2".to_owned();
    for expected in [2, 2, 1] {
        let page = trial.bureau.get(&path).await.ok();
        let replies = page["replies"].as_array().unwrap().clone();
        assert_eq!(replies.len(), expected, "{page}");
        seen.extend(replies.iter().map(|one| one["received_at"].as_i64().unwrap()));
        path = format!("/v1/replies?limit=2&after={}", page["next"].as_str().unwrap_or("none"));
    }
    assert_eq!(path, "/v1/replies?limit=2&after=none", "the last page says so");
    assert!(seen.is_sorted() && seen.len() == 5, "oldest first, each once: {seen:?}");
    trial.bureau.get("/v1/replies?limit=201").await.refused(400, "invalid");
    trial.bureau.get(&path).await.refused(400, "invalid");
}

async fn erasing_a_complainant_takes_the_replies_that_belong_to_no_case(store: TestStore) {
    let mut trial = Trial::new(store).await;
    let mut cases = Vec::new();
    for _ in 0..2 {
        let (case, _) = trial.worked(NUMBER).await;
        trial.order(&case).await;
        cases.push(case);
    }
    trial.later(MINUTE).await;
    assert_eq!(trial.reply("r1", "+86 139 0777 1234", "请打13907771234").await, 204);
    trial.bureau.clock.advance(1);
    assert_eq!(trial.reply("r2", "13811112222", "another's").await, 204);
    let waiting = trial.bureau.get("/v1/replies").await.ok();
    let ids: Vec<_> = (0..2).map(|n| text(&waiting["replies"][n]["id"])).collect();
    assert_eq!(waiting["replies"][0]["case"], Value::Null, "about either case");
    let read = |reply: usize| {
        let path = format!("/v1/replies/{}/reading", ids[reply]);
        let bureau = &trial.bureau;
        async move { bureau.post(&path, json!({ "reason": "waits" })).await }
    };
    let erase = |case: usize| {
        let path = format!("/v1/cases/{}/complainant", cases[case]);
        let bureau = &trial.bureau;
        async move { bureau.send(SUPERVISOR, Method::DELETE, &path, None, None).await.ok() }
    };
    erase(0).await;
    assert!(read(0).await.ok().to_string().contains("0777"), "it may be about the other case");
    erase(1).await;
    read(0).await.refused(410, "complainant_erased");
    assert_eq!(read(1).await.ok()["reply"]["text"], "another's");
    let left = "reply WHERE erased_at IS NOT NULL AND length(wrapped_key) + length(sealed) = 0";
    assert_eq!(trial.bureau.count(left).await, 1, "nothing is left that a key could open");
}

async fn two_cases_of_a_complainant_erased_at_once_take_their_replies(store: TestStore) {
    let mut trial = Trial::new(store).await;
    for round in 0..5 {
        let number = format!("1390777123{round}");
        let mut erasures = Vec::new();
        for _ in 0..2 {
            let (case, _) = trial.worked(&number).await;
            trial.order(&case).await;
            erasures.push(format!("/v1/cases/{case}/complainant"));
        }
        trial.later(MINUTE).await;
        assert_eq!(trial.reply(&format!("r{round}"), &number, "about which?").await, 204);
        let bureau = &trial.bureau;
        let erase = |path| bureau.send(SUPERVISOR, Method::DELETE, path, None, None);
        for answer in join_all(erasures.iter().map(|path| erase(path))).await {
            answer.ok();
        }
        assert_eq!(trial.bureau.count("reply WHERE erased_at IS NULL").await, 0, "{round}");
    }
}

async fn a_reply_that_nobody_can_read_hinders_no_erasure(store: TestStore) {
    const DAMAGE: &str = "UPDATE reply SET sealed = wrapped_key \
         WHERE reply_id = (SELECT reply_id FROM reply ORDER BY reply_id LIMIT 1)";
    let mut trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    for n in 0..2 {
        assert_eq!(trial.reply(&format!("r{n}"), NUMBER, "hello").await, 204);
        trial.bureau.clock.advance(1);
    }
    let damaged = trial.bureau.app.store.with_tx("test", (), |tx, ()| {
        Box::pin(async move {
            sqlx::query(DAMAGE).execute(tx.conn()).await.map_err(StoreError::from).map(drop)
        })
    });
    damaged.await.unwrap();
    let path = format!("/v1/cases/{case}/complainant");
    trial.bureau.send(SUPERVISOR, Method::DELETE, &path, None, None).await.ok();
    assert_eq!(trial.bureau.count("reply WHERE erased_at IS NOT NULL").await, 1, "the other one");
}

async fn a_bare_answer_to_two_cases_is_about_neither(store: TestStore) {
    let mut trial = Trial::new(store).await;
    for _ in 0..2 {
        let (case, _) = trial.worked(NUMBER).await;
        trial.order(&case).await;
    }
    trial.later(MINUTE).await;
    assert_eq!(trial.reply("r1", NUMBER, "1").await, 204);
    assert_eq!(trial.bureau.get("/v1/replies").await.ok()["replies"][0]["case"], Value::Null);
    let named = trial.bureau.get("/v1/messages").await.ok()["messages"][1].clone();
    let body = json!({ "id": "r2", "from": NUMBER, "text": "1", "in_reply_to": named["id"] });
    assert_eq!(trial.call(INBOUND, body).await, 204);
    let case = trial.bureau.case(named["case"].as_str().unwrap()).await;
    assert_eq!(case["opinions"][0]["opinion"], "satisfied", "the gateway knew which");
    let stranger =
        json!({ "id": "r3", "from": "13811112222", "text": "3", "in_reply_to": named["id"] });
    assert_eq!(trial.call(INBOUND, stranger).await, 204);
    let case = trial.bureau.case(named["case"].as_str().unwrap()).await;
    assert_eq!(case["opinions"].as_array().unwrap().len(), 1, "not who the message went to");
}

async fn messages_leave_at_the_rate_that_was_chosen(store: TestStore) {
    let trial = Trial::new(store).await;
    for n in 0..3 {
        let (case, _) = trial.worked(&format!("1380000000{n}")).await;
        trial.order(&case).await;
    }
    let mut sent = Vec::new();
    for _ in 0..4 {
        work_due(&trial.bureau.app).await.unwrap();
        sent.push(trial.gateway.sent().len());
        trial.bureau.clock.advance(500);
    }
    assert_eq!(sent, [1, 1, 2, 2], "60 a minute are one a second");
}

async fn what_cannot_be_sent_says_why(store: TestStore) {
    let trial = Trial::new(store).await;
    let (case, _) = trial.worked(NUMBER).await;
    let path = format!("/v1/cases/{case}/messages");
    let unknown = trial.bureau.post(&path, json!({ "template": "hello" })).await;
    assert!(unknown.refused(400, "invalid").contains("GET /v1/message-templates"));
    trial.order(&case).await;
    let erase = format!("/v1/cases/{case}/complainant");
    trial.bureau.send(SUPERVISOR, Method::DELETE, &erase, None, None).await.ok();
    trial.later(1).await;
    let message = trial.message(&case).await;
    assert_eq!(
        (&message["state"], &message["reason"]),
        (&json!("not_delivered"), &json!("no_number"))
    );
    assert!(trial.gateway.requests().is_empty());
    let without = text(&trial.bureau.post("/v1/cases", vending()).await.ok()["id"]);
    let path = format!("/v1/cases/{without}/messages");
    let body = json!({ "template": "result" });
    trial.bureau.post(&path, body.clone()).await.refused(409, "nothing_to_tell");
    trial.bureau.worked(&without, "stopped").await;
    trial.bureau.post(&path, body).await.refused(409, "no_number");
}

async fn without_a_gateway_one_tells_by_telephone(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    bureau.worked(&case, "stopped").await;
    let path = format!("/v1/cases/{case}/messages");
    bureau.post(&path, json!({ "template": "result" })).await.refused(409, "sms_off");
}

async fn texts_are_kept_by_the_administrator_and_bad_ones_refused(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let desk = (Role::Administrator, DISTRICT);
    let path = "/v1/message-templates";
    let add = |key: &'static str, words: &'static str| {
        bureau.post_as(desk, path, json!({ "key": key, "text": words, "asks": true }))
    };
    add("thanks", "{number}：{result}，谢谢").await.ok();
    add("thanks", "again").await.refused(409, "key_taken");
    let named = add("bad", "尊敬的{name}").await.refused(400, "invalid");
    assert!(named.contains("{name}"), "{named}");
    add("bad", "请拨打13812345678").await.refused(422, "personal_data");
    let listed = bureau.get(path).await.ok();
    assert_eq!(listed["templates"].as_array().unwrap().len(), 3, "two to begin with, and one");
}

on_each_engine!(
    a_complainant_is_told_when_the_message_arrived_and_not_before,
    a_lost_answer_is_asked_about_and_nothing_is_sent_twice,
    whatever_the_gateway_answers_the_message_waits_and_goes_nowhere_else,
    a_gateway_that_failed_is_left_alone_for_a_moment,
    what_did_not_arrive_is_shown_counted_and_sent_again,
    receipts_doubled_late_or_out_of_order_do_no_harm,
    a_call_that_is_not_signed_stale_or_replayed_is_refused,
    a_message_that_nothing_is_heard_of_expires_unless_the_gateway_knows_better,
    a_message_counts_from_when_it_left_however_late_the_gateway_says_so,
    a_message_that_leaves_while_the_clock_is_set_back_tells_all_the_same,
    a_message_that_never_left_is_counted_when_its_time_is_over,
    a_message_about_work_that_was_sent_back_tells_nobody_the_next_result,
    a_message_that_was_overtaken_while_it_waited_does_not_leave,
    words_of_a_complainant_do_not_deliver_what_was_never_handed_over,
    a_reply_is_the_complainants_opinion,
    a_reply_that_is_not_plain_waits_for_a_person,
    replies_are_listed_page_by_page_to_the_last,
    erasing_a_complainant_takes_the_replies_that_belong_to_no_case,
    two_cases_of_a_complainant_erased_at_once_take_their_replies,
    a_reply_that_nobody_can_read_hinders_no_erasure,
    a_bare_answer_to_two_cases_is_about_neither,
    messages_leave_at_the_rate_that_was_chosen,
    what_cannot_be_sent_says_why,
    without_a_gateway_one_tells_by_telephone,
    texts_are_kept_by_the_administrator_and_bad_ones_refused,
);
