//! What cannot be understood or must not be started: a clear problem, and nothing is written.

use super::*;

/// A purchase that would be taken.
fn purchase() -> Value {
    json!({
        "customer": {
            "company": "Acme", "email": "ada@customer.example", "first_name": "Ada",
            "last_name": "Lovelace", "country": "Germany",
        },
        "sku": tenure_adapters::products().first().unwrap().sku,
        "quantity": 3,
        "payment_method": "card_ok",
    })
}

const START: &str = "/v1/definitions/purchase-direct/instances";

async fn nothing_started(door: &Door) {
    let list = door.get("/v1/instances").await;
    assert_eq!(list.body["items"], json!([]), "something was started");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_with_a_mistake_is_refused_with_its_place() {
    let door = Door::with_workflows().await;
    let check = async |change: fn(&mut Value), word: &str| {
        let mut input = purchase();
        change(&mut input);
        let answer = door.post(START, &[JSON], input.to_string()).await;
        assert_eq!((answer.status, answer.problem()), (422, "invalid-input"), "{answer:?}");
        let errors = answer.body["errors"].to_string();
        assert!(errors.contains(word), "{word}: {answer:?}");
    };
    check(|input| input["customer"]["country"] = json!("Atlantis"), "country").await;
    check(|input| input["sku"] = json!("no-such-product"), "sku").await;
    check(|input| drop(input.as_object_mut().unwrap().remove("customer")), "customer").await;
    check(|input| input["quantity"] = json!(0), "quantity").await;
    check(|input| input["quantity"] = json!("many"), "quantity").await;
    check(|input| input["customer"]["email"] = json!("nobody"), "email").await;
    check(|input| input["surprise"] = json!(1), "surprise").await;
    nothing_started(&door).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_is_refused_with_line_and_column() {
    let door = Door::with_workflows().await;
    let answer = door.post(START, &[JSON], "{\n  \"sku\": ,\n}").await;
    assert_eq!((answer.status, answer.problem()), (400, "malformed-json"));
    assert_eq!(answer.body["errors"][0]["line"], json!(2), "{answer:?}");
    assert_eq!(answer.body["errors"][0]["column"], json!(10), "{answer:?}");
    let typed = door.post(START, &[("content-type", "text/plain")], "{}").await;
    assert_eq!((typed.status, typed.problem()), (415, "unsupported-media-type"));
    let untyped = door.post(START, &[], "{}").await;
    assert_eq!(untyped.status, 415);
    let long = vec![b' '; limit::BODY_BYTES_MAX + 1];
    let long = door.post(START, &[JSON], long).await;
    assert_eq!((long.status, long.problem()), (413, "body-too-large"));
    nothing_started(&door).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_found() {
    let door = Door::open(None).await;
    let id = Uuid::now_v7();
    for (path, kind) in [
        ("/v1/definitions/nothing".to_owned(), "unknown-definition"),
        (format!("/v1/instances/{id}"), "unknown-instance"),
        (format!("/v1/instances/{id}/journal"), "unknown-instance"),
        ("/v1/instances/not-an-id".to_owned(), "unknown-instance"),
        ("/v1/events?source=s&id=i".to_owned(), "unknown-event"),
        ("/v1/nothing".to_owned(), "no-route"),
    ] {
        let answer = door.get(&path).await;
        assert_eq!((answer.status, answer.problem()), (404, kind), "{path}");
    }
    let start = door.post("/v1/definitions/nothing/instances", &[JSON], "{}").await;
    assert_eq!((start.status, start.problem()), (404, "unknown-definition"));
    let method = door.post("/livez", &[], "").await;
    assert_eq!((method.status, method.problem()), (405, "no-method"));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_with_odd_parameters_are_refused() {
    let door = Door::open(None).await;
    for path in [
        "/v1/instances?limit=0",
        "/v1/instances?limit=501",
        "/v1/instances?limit=x",
        "/v1/instances?cursor=x",
        "/v1/instances?page=2",
        "/v1/definitions?cursor=nothing",
        "/v1/events?source=s",
    ] {
        let answer = door.get(path).await;
        assert_eq!((answer.status, answer.problem()), (400, "invalid-query"), "{path}");
    }
    let event = json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "t" }).to_string();
    for prefer in ["handling=whatever", "handling"] {
        let answer = door.post("/v1/events", &[EVENT, ("prefer", prefer)], event.clone()).await;
        assert_eq!((answer.status, answer.problem()), (400, "invalid-preference"), "{prefer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_a_token_nobody_gave_out_is_not_kept() {
    let door = Door::with_workflows().await;
    let event = json!({
        "specversion": "1.0", "id": "e1", "source": "/portal",
        "type": "com.tenure.terms.accepted.v1", "data": { "token": "wrong" },
    });
    let strict = [EVENT, ("prefer", "handling=strict")];
    let answer = door.post("/v1/events", &strict, event.to_string()).await;
    assert_eq!((answer.status, answer.problem()), (404, "nobody-waits"));
    assert_eq!(door.get("/v1/events?source=/portal&id=e1").await.status, 404);
    let malformed = door.post("/v1/events", &strict, "{}").await;
    assert_eq!((malformed.status, malformed.problem()), (400, "malformed-event"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_with_mistakes_is_refused_with_their_places() {
    let door = Door::open(None).await;
    let text = "document:\n  dsl: '1.0.3'\n  namespace: tenure\n  name: bad\n  version: '1.0.0'\n\
                do:\n  - a:\n      call: nothing.atAll:1.0.0@default\n";
    let answer = door.post("/v1/definitions", &[YAML], text).await;
    assert_eq!((answer.status, answer.problem()), (422, "invalid-definition"), "{answer:?}");
    assert_eq!(answer.body["errors"][0]["line"], json!(8), "{answer:?}");
    let typed = door.post("/v1/definitions", &[("content-type", "text/plain")], text).await;
    assert_eq!(typed.status, 415);
    let bytes = door.post("/v1/definitions", &[YAML], vec![0xff, 0xfe]).await;
    assert_eq!((bytes.status, bytes.problem()), (400, "malformed-text"));
    assert_eq!(door.get("/v1/definitions").await.body["items"], json!([]));
}
