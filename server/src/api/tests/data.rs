//! What is shown of an instance's data, and by what it is found.

use super::*;

const PAY: &str = "\
document:
  dsl: '1.0.3'
  namespace: tenure
  name: pay
  version: '1.0.0'
  metadata:
    sensitive: [iban]
    searchable: {plan: '${ $input.plan }'}
    exclusive: account-${ .account }
do:
  - keep:
      set: {kept: '${ . }'}
      export: {as: '${ {kept: .kept} }'}
  - hold:
      listen: {to: {one: {with: {type: go}}}}
";

async fn start(door: &Door, plan: &str, account: &str) -> String {
    let input = json!({ "plan": plan, "account": account, "iban": "DE89" }).to_string();
    let started = door.post("/v1/definitions/pay/instances", &[JSON], input).await;
    assert_eq!(started.status, 201, "{started:?}");
    assert!(!started.body.to_string().contains("DE89"), "{started:?}");
    started.header("location").to_owned()
}

/// Until it waits for this.
async fn waits(door: &Door, path: &str, kind: &str) -> Value {
    let seen = async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(10));
        loop {
            look.tick().await;
            let body = door.get(path).await.body;
            if body["waiting_for"][0]["kind"] == kind {
                return body;
            }
        }
    };
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, seen).await.unwrap_or_else(|_| panic!("no {kind} at {path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sensitive_fields_are_shown_nowhere_and_attributes_find() {
    let door = Door::open(None).await;
    assert_eq!(door.post("/v1/definitions", &[YAML], PAY).await.status, 201);
    let pro = start(&door, "pro", "A").await;
    let shown = waits(&door, &pro, "event").await;
    assert_eq!(shown["input"]["iban"], json!("[redacted]"));
    assert_eq!(shown["context"]["kept"]["iban"], json!("[redacted]"));
    assert_eq!(shown["context"]["kept"]["account"], json!("A"));
    assert_eq!(shown["attributes"], json!({ "plan": "pro" }));
    let journal = door.get(&format!("{pro}/journal")).await;
    assert!(journal.body.to_string().contains("[redacted]"), "{journal:?}");

    // The lock of the account is held: this one stands in line and says so.
    let second = start(&door, "free", "A").await;
    let line = waits(&door, &second, "lock").await["waiting_for"][0].clone();
    assert_eq!((&line["name"], &line["task"]), (&json!("account-A"), &Value::Null));
    let other = start(&door, "pro", "B").await;
    waits(&door, &other, "event").await;

    let found = door.get("/v1/instances?attribute=plan:pro&limit=1").await;
    let ids = |found: &Answer| {
        let items = found.body["items"].as_array().unwrap().iter();
        items.map(|item| item["href"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&found), [other.as_str()]);
    let cursor = found.body["next_cursor"].as_str().unwrap();
    let next = door.get(&format!("/v1/instances?attribute=plan:pro&cursor={cursor}")).await;
    assert_eq!(ids(&next), [pro.as_str()]);
    assert_eq!(ids(&door.get("/v1/instances?attribute=plan:none").await), Vec::<String>::new());
    assert_eq!(door.get("/v1/instances?attribute=plan").await.problem(), "invalid-query");
    for path in ["/v1/instances", &pro, &second, &format!("{pro}/journal")] {
        let shown = door.get(path).await;
        assert!(!shown.body.to_string().contains("DE89"), "{path}: {shown:?}");
    }
}
