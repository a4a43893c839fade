//! A definition, an instance and its events, from registration to the end.

use super::*;

/// Waits for one event, then says what it heard.
const HEAR: &str = "\
document:
  dsl: '1.0.3'
  namespace: tenure
  name: hear
  version: '1.0.0'
  metadata:
    businessKey: ${ .name }
input:
  schema:
    format: json
    document: {type: object, required: [name], properties: {name: {type: string}}}
do:
  - ear:
      listen:
        to:
          one:
            with: {type: test.word}
            correlate:
              name:
                from: ${ .data.name }
                expect: ${ $workflow.input.name }
  - say:
      set: {heard: '${ .[0].word }'}
";

const START: &str = "/v1/definitions/hear/instances";

async fn hearing() -> Door {
    let door = Door::open(None).await;
    let answer = door.post("/v1/definitions", &[YAML], HEAR).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    door
}

fn word(id: &str, name: &str) -> String {
    json!({
        "specversion": "1.0", "id": id, "source": "/test", "type": "test.word",
        "data": { "name": name, "word": "hello" },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_registered_once() {
    let door = hearing().await;
    let again = door.post("/v1/definitions", &[YAML], HEAR).await;
    assert_eq!(again.status, 200, "{again:?}");
    let changed = HEAR.replace("hello", "bye").replace("heard:", "listened:");
    let conflict = door.post("/v1/definitions", &[YAML], changed.clone()).await;
    assert_eq!((conflict.status, conflict.problem()), (409, "version-taken"));
    let newer = changed.replace("'1.0.0'", "'1.1.0'");
    assert_eq!(door.post("/v1/definitions", &[YAML], newer).await.status, 201);
    let first = door.get("/v1/definitions?limit=1").await;
    assert_eq!(first.body["items"][0]["version"], json!("1.0.0"));
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = door.get(&format!("/v1/definitions?limit=1&cursor={cursor}")).await;
    assert_eq!(second.body["items"][0]["version"], json!("1.1.0"));
    assert_eq!(second.body["next_cursor"], Value::Null);
    let shown = door.get("/v1/definitions/hear").await;
    assert_eq!(shown.body["version"], json!("1.1.0"));
    assert_eq!(shown.body["versions"], json!(["1.0.0", "1.1.0"]));
    let old = door.get("/v1/definitions/hear?version=1.0.0").await;
    assert_eq!(old.body["source"], json!(HEAR));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_starts_one_instance() {
    let door = hearing().await;
    let key = ("idempotency-key", "\"k-1\"");
    let first = door.post(START, &[JSON, key], r#"{"name":"a"}"#).await;
    assert_eq!(first.status, 201, "{first:?}");
    let place = first.header("location").to_owned();
    assert_eq!(place, format!("/v1/instances/{}", first.body["id"].as_str().unwrap()));
    let bare = ("idempotency-key", "k-1");
    let again = door.post(START, &[JSON, bare], r#"{ "name": "a" }"#).await;
    assert_eq!((again.status, again.header("location")), (200, place.as_str()), "{again:?}");
    let other = door.post(START, &[JSON, key], r#"{"name":"b"}"#).await;
    assert_eq!((other.status, other.problem()), (422, "key-reused"));
    assert_eq!(other.body["started"], json!(place));
    let empty = door.post(START, &[JSON, ("idempotency-key", "\"\"")], r#"{"name":"a"}"#).await;
    assert_eq!((empty.status, empty.problem()), (400, "invalid-key"));
    assert_eq!(door.get("/v1/instances").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_waits_hears_and_ends() {
    let door = hearing().await;
    let wait = ("prefer", "wait=1");
    let started = door.post(START, &[JSON, wait], r#"{"name":"a"}"#).await;
    assert_eq!(started.status, 202, "{started:?}");
    assert_eq!(started.header("preference-applied"), "wait=1");
    assert_eq!(started.body["status"], json!("live"));
    let waits = &started.body["waiting_for"][0];
    assert_eq!((&waits["kind"], &waits["task"]), (&json!("event"), &json!("/do/0/ear")));
    assert_eq!(waits["events"][0], json!({ "type": "test.word", "correlation": ["a"] }));

    let place = started.header("location").to_owned();
    let tag = door.get(&place).await.header("etag").to_owned();
    let known = Request::get(&place).header("host", "localhost").header("if-none-match", &tag);
    assert_eq!(door.ask(known.body(Body::empty()).unwrap()).await.status, 304);

    let strict = [EVENT, ("prefer", "handling=strict")];
    let wrong = door.post("/v1/events", &strict, word("e0", "b")).await;
    assert_eq!((wrong.status, wrong.problem()), (404, "nobody-waits"));
    let heard = door.post("/v1/events", &strict, word("e1", "a")).await;
    assert_eq!(heard.status, 202, "{heard:?}");
    assert_eq!(door.get(heard.header("location")).await.status, 200);

    let id = started.body["id"].as_str().unwrap().parse().unwrap();
    let limit = std::time::Duration::from_secs(20);
    door.engine.wait_for_end(tenure_machine::InstanceId(id), limit).await.unwrap();
    let ended = door.get(&place).await;
    assert_eq!(ended.body["status"], json!("completed"), "{ended:?}");
    assert_eq!(ended.body["output"], json!({ "heard": "hello" }));
    assert_eq!(ended.body["waiting_for"], json!([]));
    assert_ne!(ended.header("etag"), tag);

    // The second acceptance, by another event of the same correlation, answers like the first.
    let second = door.post("/v1/events", &strict, word("e2", "a")).await;
    assert_eq!((second.status, &second.body["id"]), (202, &json!("e1")), "{second:?}");
    assert_eq!(second.header("location"), heard.header("location"));

    let journal = door.get(&format!("{place}/journal?limit=1")).await;
    assert_eq!(journal.body["items"].as_array().unwrap().len(), 1);
    let after = journal.body["next_after"].as_i64().unwrap();
    let rest = door.get(&format!("{place}/journal?after={after}")).await;
    let text = rest.body.to_string();
    assert!(text.contains("instance_completed") && text.contains("event_consumed"), "{text}");
    assert_eq!(rest.body["next_after"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_newest_first() {
    let door = hearing().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({ "name": name }).to_string();
        let started = door.post(START, &[JSON], body).await;
        ids.push(started.body["id"].as_str().unwrap().to_owned());
    }
    let first = door.get("/v1/instances?limit=2").await;
    let found = |answer: &Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = door.get(&format!("/v1/instances?limit=2&cursor={cursor}")).await;
    let mut all = found(&first);
    all.extend(found(&second));
    ids.reverse();
    assert_eq!(all, ids);
    assert_eq!(second.body["next_cursor"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_of_another_namespace_is_found_by_its_name() {
    let door = Door::open(None).await;
    let text = HEAR.replace("namespace: tenure", "namespace: elsewhere");
    assert_eq!(door.post("/v1/definitions", &[YAML], text).await.status, 201);
    let started = door.post(START, &[JSON, ("prefer", "wait=1")], r#"{"name":"a"}"#).await;
    assert_eq!(started.body["definition"]["namespace"], json!("elsewhere"), "{started:?}");
    assert_eq!(started.body["waiting_for"][0]["task"], json!("/do/0/ear"));
    let heard = door.post("/v1/events", &[EVENT, ("prefer", "handling=strict")], word("e", "a"));
    let heard = heard.await;
    assert_eq!(heard.status, 202, "{heard:?}");
    assert_eq!(door.get(heard.header("location")).await.status, 200);
    let again = door.post(START, &[JSON], r#"{"name":"b"}"#).await;
    assert_eq!(again.status, 201);
    let listed = door.get("/v1/instances").await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2, "{listed:?}");

    // The server's own namespace comes first as soon as it knows the name.
    assert_eq!(door.post("/v1/definitions", &[YAML], HEAR).await.status, 201);
    let ours = door.post(START, &[JSON], r#"{"name":"c"}"#).await;
    assert_eq!(ours.body["definition"]["namespace"], json!("tenure"), "{ours:?}");
}
