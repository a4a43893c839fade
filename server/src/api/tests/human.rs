//! A person's decision, from the question to the answer, over HTTP.

use super::*;

const ASK: &str = "\
document: {dsl: '1.0.3', namespace: tenure, name: refund, version: '1.0.0'}
do:
  - approve:
      call: human.task:1.0.0@default
      with:
        title: Refund order ${ .order }?
        assignees: [finance]
        form: {type: object, required: [approved], properties: {approved: {type: boolean}}}
        due: {days: 2}
";

/// Until a look finds what is wanted.
async fn until(door: &Door, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let seen = async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(10));
        loop {
            look.tick().await;
            let body = door.get(path).await.body;
            if wanted(&body) {
                return body;
            }
        }
    };
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, seen).await.unwrap_or_else(|_| panic!("not seen at {path}"))
}

/// A question that is asked: the place of its instance, and the line that waits.
async fn asked(door: &Door) -> (String, Value) {
    let answer = door.post("/v1/definitions", &[YAML], ASK).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let order = json!({ "order": "4711" }).to_string();
    let started = door.post("/v1/definitions/refund/instances", &[JSON], order).await;
    assert_eq!(started.status, 201, "{started:?}");
    let path = started.header("location").to_owned();
    let shown = until(door, &path, |body| body["waiting_for"][0]["kind"] == "human-task").await;
    (path, shown["waiting_for"][0].clone())
}

async fn decide(door: &Door, id: &str, ticket: &Value, decision: Value) -> Answer {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/portal",
        "type": "io.tenure.human-task.completed",
        "data": { "ticket": ticket, "decision": decision, "by": "ada@example.com" },
    });
    door.post("/v1/events", &[EVENT, ("prefer", "handling=strict")], event.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_and_a_wrong_form_is_refused() {
    let door = Door::open(None).await;
    let (path, line) = asked(&door).await;
    assert_eq!(line["title"], json!("Refund order 4711?"));
    assert_eq!(line["assignees"], json!(["finance"]));
    let journal = door.get(&format!("{path}/journal")).await.body;
    let entries = journal["items"].as_array().unwrap().iter();
    let mut entries = entries.flat_map(|row| row["entries"].as_array().unwrap());
    let opened = entries.find(|entry| entry["fact"] == "event_emitted").unwrap()["event"].clone();
    assert_eq!(opened["type"], json!("io.tenure.human-task.opened"));
    assert_eq!(opened["data"]["ticket"], line["ticket"]);
    // The question is an event like any other: its fate can be read.
    let source: CloudEvent = serde_json::from_value(opened).unwrap();
    let href = crate::projection::event_href(&source);
    let fate = until(&door, &href, |body| body["received_at"].is_string()).await;
    assert_eq!(fate["type"], json!("io.tenure.human-task.opened"));

    let wrong = decide(&door, "d1", &line["ticket"], json!({ "approved": "yes" })).await;
    assert_eq!(wrong.status, 202, "{wrong:?}");
    let fate = wrong.header("location").to_owned();
    until(&door, &fate, |body| body["delivered_to"] == json!([])).await;
    assert_eq!(door.get(&path).await.body["status"], json!("live"));

    let right = decide(&door, "d2", &line["ticket"], json!({ "approved": true })).await;
    assert_eq!(right.status, 202, "{right:?}");
    let ended = until(&door, &path, |body| body["status"] == "completed").await;
    assert_eq!(ended["output"], json!({ "approved": true }));
    let late = decide(&door, "d3", &json!("00000000-0000-0000-0000-000000000000"), json!({})).await;
    assert_eq!((late.status, late.problem()), (404, "nobody-waits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_nobody_answers_is_a_timeout() {
    let door = Door::open(None).await;
    let (path, _) = asked(&door).await;
    door.database.move_clock(2 * 86_400_000).await.unwrap();
    let ended = until(&door, &path, |body| body["status"] == "faulted").await;
    assert_eq!(ended["error"]["status"], json!(408));
    assert_eq!(ended["error"]["instance"], json!("/do/0/approve"));
}
