//! Operations of documents: Swagger 2.0 and OpenAPI 3, in JSON and YAML.

use serde_json::{Value, json};

use super::{Desk, Reply, Seen, Service, fails, kind, output, with};

const PETS: &str = r##"
swagger: "2.0"
basePath: /v2
schemes: [https, http]
consumes: [application/xml, application/json]
produces: [application/json]
paths:
  /pet:
    post:
      operationId: addPet
      parameters:
        - {name: pet, in: body, required: true, schema: {$ref: "#/definitions/Pet"}}
      responses: {405: {description: no}}
    put:
      operationId: updatePet
      parameters:
        - {name: pet, in: body, required: false, schema: {$ref: "#/definitions/Pet"}}
  /pet/findByStatus:
    get:
      operationId: findPetsByStatus
      parameters:
        - {name: status, in: query, required: true, type: array, collectionFormat: multi}
        - {name: tags, in: query, type: array}
        - {name: pipes, in: query, type: array, collectionFormat: pipes}
  /pet/{petId}:
    parameters:
      - $ref: "#/parameters/petId"
    get: {operationId: getPetById}
    delete:
      operationId: deletePet
      parameters:
        - {name: api_key, in: header, type: string}
    post:
      operationId: updatePetWithForm
      consumes: [application/x-www-form-urlencoded]
      parameters:
        - {name: name, in: formData, type: string}
        - {name: file, in: formData, type: file}
  /pet/{petId}/image:
    post:
      operationId: uploadImage
      consumes: [multipart/form-data]
      parameters:
        - $ref: "#/parameters/petId"
        - {name: note, in: formData, type: string}
  /old:
    get: {operationId: twice}
    put: {operationId: twice}
    post:
      operationId: xmlOnly
      consumes: [application/xml]
      parameters: [{name: pet, in: body}]
    patch:
      operationId: unfilled
      parameters: [{name: x, in: query, collectionFormat: odd}]
  /gap/{who}:
    get: {operationId: gap}
parameters:
  petId: {name: petId, in: path, required: true, type: integer}
definitions:
  Pet: {type: object}
"##;

fn shop() -> Value {
    json!({
        "openapi": "3.1.0",
        "servers": [{ "url": "/api/{stage}", "variables": { "stage": { "default": "v3" } } }],
        "paths": {
            "/items/{id}": {
                "get": {
                    "operationId": "read",
                    "parameters": [
                        { "name": "id", "in": "path", "required": true },
                        { "name": "fields", "in": "query", "style": "form", "explode": false },
                        { "name": "tag", "in": "query" },
                        { "name": "page", "in": "query", "style": "deepObject", "explode": true },
                        { "name": "filter", "in": "query", "content": { "application/json": {} } },
                        { "name": "X-Trace", "in": "header" },
                        { "name": "seen", "in": "cookie" },
                        { "name": "Accept", "in": "header", "required": true },
                    ],
                    "responses": { "200": { "content": { "application/hal+json": {} } } },
                },
            },
            "/items": {
                "post": {
                    "operationId": "create",
                    "parameters": [{ "name": "dry", "in": "query" }],
                    "requestBody": { "$ref": "#/components/requestBodies/Item" },
                },
                "put": {
                    "operationId": "replace",
                    "requestBody": { "content": { "application/merge-patch+json": {} } },
                },
                "patch": {
                    "operationId": "hasBodyField",
                    "requestBody": { "content": { "application/json": {
                        "schema": { "properties": { "body": {} } },
                    } } },
                },
                "delete": {
                    "operationId": "form",
                    "requestBody": { "content": { "application/x-www-form-urlencoded": {} } },
                },
                "options": {
                    "operationId": "binary",
                    "requestBody": { "content": { "application/octet-stream": {} } },
                },
            },
            "/note": {
                "servers": [{ "url": "https://path.invalid" }],
                "post": {
                    "operationId": "note",
                    "servers": [{ "url": "own/" }],
                    "requestBody": { "content": { "text/plain": {} } },
                },
                "get": {
                    "operationId": "labels",
                    "servers": [{ "url": "/" }],
                    "parameters": [{ "name": "id", "in": "query", "style": "matrix" }],
                },
                "put": {
                    "operationId": "elsewhere",
                    "parameters": [{ "$ref": "other.yaml#/x" }],
                },
            },
        },
        "components": { "requestBodies": { "Item": {
            "required": true, "content": { "application/xml": {}, "application/json": {} },
        } } },
    })
}

/// Serves both documents and says yes to everything else.
async fn service() -> Service {
    Service::start(|seen: &Seen| match seen.path.as_str() {
        "/docs/pets.yaml" => Reply::status(200).body("application/yaml", PETS),
        "/docs/shop.json" => Reply::json(&shop()),
        _ => Reply::json(&json!({ "ok": true })),
    })
    .await
}

fn call(service: &Service, document: &str, id: &str, parameters: &Value) -> Value {
    json!({
        "document": { "endpoint": { "uri": format!("{}/docs/{document}", service.url) } },
        "operationId": id,
        "parameters": parameters,
    })
}

/// The operation must be sent as `METHOD PATH?QUERY BODY`.
async fn check(document: &str, id: &str, parameters: &Value, expected: &str) -> Seen {
    let service = service().await;
    let outcome = Desk::new().call("openapi", call(&service, document, id, parameters)).await;
    assert_eq!(kind(&outcome), "done", "{id}: {outcome:?}");
    let seen = service.last();
    let query = if seen.query.is_empty() { String::new() } else { format!("?{}", seen.query) };
    let found = format!("{} {}{query} {}", seen.method, seen.path, seen.body);
    assert_eq!(found.trim(), expected, "{id}");
    seen
}

#[tokio::test]
async fn swagger_2_operations_are_called() {
    let pets = "pets.yaml";
    let seen = check(
        pets,
        "findPetsByStatus",
        &json!({ "status": ["new", "sold"], "tags": ["a", "b"], "pipes": [1, 2] }),
        "GET /v2/pet/findByStatus?pipes=1%7C2&status=new&status=sold&tags=a%2Cb",
    )
    .await;
    assert_eq!(seen.header("accept"), "application/json");
    let one = json!({ "status": "new" });
    check(pets, "findPetsByStatus", &one, "GET /v2/pet/findByStatus?status=new").await;
    check(pets, "getPetById", &json!({ "petId": 7 }), "GET /v2/pet/7").await;
    let encoded = json!({ "petId": "%2e%2e" });
    check(pets, "getPetById", &encoded, "GET /v2/pet/%252e%252e").await;
    let hostile = json!({ "petId": "a/../b?c#d e" });
    check(pets, "getPetById", &hostile, "GET /v2/pet/a%2F..%2Fb%3Fc%23d%20e").await;
    let seen =
        check(pets, "deletePet", &json!({ "petId": 1, "api_key": "k" }), "DELETE /v2/pet/1").await;
    assert_eq!(seen.header("api_key"), "k");
    let whole = json!({ "pet": { "id": 1 } });
    let seen = check(pets, "addPet", &whole, r#"POST /v2/pet {"id":1}"#).await;
    assert_eq!(seen.header("content-type"), "application/json");
    let fields = json!({ "id": 1, "name": "x" });
    check(pets, "updatePet", &fields, r#"PUT /v2/pet {"id":1,"name":"x"}"#).await;
    check(pets, "updatePet", &json!({}), "PUT /v2/pet").await;
    let form = json!({ "petId": 3, "name": "a b" });
    let seen = check(pets, "updatePetWithForm", &form, "POST /v2/pet/3 name=a+b").await;
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn multipart_forms_are_sent() {
    let service = service().await;
    let input = call(&service, "pets.yaml", "uploadImage", &json!({ "petId": 3, "note": "hello" }));
    assert_eq!(kind(&Desk::new().call("openapi", input).await), "done");
    let seen = service.last();
    assert!(seen.header("content-type").starts_with("multipart/form-data; boundary="));
    assert!(seen.body.contains("name=\"note\"\r\n\r\nhello\r\n"), "{}", seen.body);
}

#[tokio::test]
async fn openapi_3_operations_are_called() {
    let shop = "shop.json";
    let seen = check(
        shop,
        "read",
        &json!({
            "id": "a b", "fields": ["x", "y"], "tag": ["p", "q"], "page": { "size": 2 },
            "filter": { "a": [1] }, "X-Trace": ["t", 1], "seen": true,
        }),
        "GET /api/v3/items/a%20b?fields=x%2Cy&filter=%7B%22a%22%3A%5B1%5D%7D&page%5Bsize%5D=2&tag=p&tag=q",
    )
    .await;
    assert_eq!(seen.header("x-trace"), "t,1");
    assert_eq!(seen.header("cookie"), "seen=true");
    assert_eq!(seen.header("accept"), "application/hal+json");
    let parameters = json!({ "dry": true, "name": "x", "tags": [1] });
    let seen = check(
        shop,
        "create",
        &parameters,
        r#"POST /api/v3/items?dry=true {"name":"x","tags":[1]}"#,
    )
    .await;
    assert_eq!(seen.header("content-type"), "application/json");
    check(shop, "create", &json!({ "body": [1] }), "POST /api/v3/items [1]").await;
    let seen = check(shop, "replace", &json!({ "a": 1 }), r#"PUT /api/v3/items {"a":1}"#).await;
    assert_eq!(seen.header("content-type"), "application/merge-patch+json");
    check(shop, "replace", &json!({}), "PUT /api/v3/items").await;
    let field = json!({ "body": "text" });
    check(shop, "hasBodyField", &field, r#"PATCH /api/v3/items {"body":"text"}"#).await;
    check(shop, "form", &json!({ "a": [1, "x&"] }), "DELETE /api/v3/items a=1&a=x%26").await;
    // A server of its own, relative to the document.
    check(shop, "note", &json!({ "body": "plain" }), "POST /docs/own/note plain").await;
}

#[tokio::test]
async fn what_does_not_fit_the_document_is_named() {
    let service = service().await;
    let desk = Desk::new();
    for (document, id, parameters, words) in [
        ("pets.yaml", "getPet", json!({}), "no operation `getPet`; it has getPetById"),
        ("pets.yaml", "twice", json!({}), "more than one operation `twice`"),
        ("pets.yaml", "findPetsByStatus", json!({ "tags": [] }), "needs the parameters status"),
        ("pets.yaml", "getPetById", json!({ "petId": null }), "needs the parameters petId"),
        ("pets.yaml", "addPet", json!({}), "needs the parameters pet"),
        ("pets.yaml", "getPetById", json!({ "petId": 1, "x": 1 }), "no parameters x"),
        ("pets.yaml", "getPetById", json!({ "petId": ".." }), "no part of a path"),
        ("pets.yaml", "getPetById", json!({ "petId": "" }), "no part of a path"),
        ("pets.yaml", "getPetById", json!({ "petId": "." }), "no part of a path"),
        ("pets.yaml", "getPetById", json!({ "petId": [".."] }), "no part of a path"),
        ("pets.yaml", "getPetById", json!({ "petId": [] }), "no part of a path"),
        ("pets.yaml", "getPetById", json!({ "petId": [[1]] }), "nested too deeply"),
        ("pets.yaml", "addPet", json!({ "pet": {}, "x": 1 }), "no parameters x"),
        ("pets.yaml", "xmlOnly", json!({ "pet": {} }), "application/xml"),
        ("pets.yaml", "unfilled", json!({ "x": 1 }), "style `odd`"),
        ("pets.yaml", "gap", json!({}), "a part that no parameter fills"),
        ("pets.yaml", "updatePetWithForm", json!({ "petId": 1, "file": "x" }), "`file` is a file"),
        ("shop.json", "create", json!({}), "needs a body"),
        ("shop.json", "create", json!({ "body": 1, "x": 1 }), "no parameters x"),
        ("shop.json", "binary", json!({ "body": "x" }), "application/octet-stream"),
        ("shop.json", "note", json!({ "a": 1 }), "not made of this value"),
        ("shop.json", "labels", json!({ "id": 1 }), "style `matrix`"),
        ("shop.json", "elsewhere", json!({}), "leads out"),
    ] {
        let outcome = desk.call("openapi", call(&service, document, id, &parameters)).await;
        fails(outcome, "configuration 400", words);
    }
    let called = service.paths().into_iter().filter(|path| !path.contains("/docs/")).count();
    assert_eq!(called, 0, "nothing is sent");
}

#[tokio::test]
async fn a_foreign_path_item_is_in_the_way_of_no_other_operation() {
    let service = Service::start(|seen: &Seen| match seen.path.as_str() {
        "/docs/d" => Reply::json(&json!({
            "openapi": "3.1.0",
            "paths": {
                "/foreign": { "$ref": "other.yaml#/x" },
                "/gone": { "$ref": "#/nowhere" },
                "/loop": { "$ref": "#/paths/~1loop" },
                "/here": { "$ref": "#/components/pathItems/Here" },
            },
            "components": { "pathItems": { "Here": { "get": { "operationId": "here" } } } },
        })),
        _ => Reply::json(&json!({ "ok": true })),
    })
    .await;
    let desk = Desk::new();
    let outcome = desk.call("openapi", call(&service, "d", "here", &json!({}))).await;
    assert_eq!(kind(&outcome), "done", "{outcome:?}");
    assert_eq!(service.last().path, "/here");
    let outcome = desk.call("openapi", call(&service, "d", "there", &json!({}))).await;
    let words = "no operation `there`; it has here; its path /foreign could not be read (and 2 more like it): `$ref: other.yaml#/x` leads out";
    fails(outcome, "configuration 400", words);
}

#[tokio::test]
async fn credentials_do_not_leave_https_because_a_document_says_so() {
    let service = Service::start(|seen: &Seen| match seen.path.as_str() {
        "/docs/3" => Reply::json(&json!({
            "openapi": "3.0.0", "servers": [{ "url": "http://shop.example/api" }],
            "paths": { "/x": { "post": { "operationId": "x", "parameters": [
                { "name": "X-Api-Key", "in": "header" }, { "name": "token", "in": "query" },
                { "name": "session", "in": "cookie" }, { "name": "color", "in": "query" },
            ] } } },
        })),
        "/docs/2" => Reply::json(&json!({
            "swagger": "2.0", "host": "shop.example", "basePath": "/api", "schemes": ["http"],
            "paths": { "/x": { "post": { "operationId": "x" } } },
        })),
        _ => Reply::status(204),
    })
    .await;
    let desk = Desk::with_shop(&service);
    let bearer = json!({ "authentication": { "bearer": { "token": "s3cret" } } });
    for (document, parameters, more, refused) in [
        ("https://shop.example/docs/3", json!({}), bearer.clone(), true),
        ("https://shop.example/docs/2", json!({}), bearer.clone(), true),
        ("https://shop.example/docs/3", json!({ "X-Api-Key": "s3cret" }), json!({}), true),
        ("https://shop.example/docs/3", json!({ "token": "s3cret" }), json!({}), true),
        ("https://shop.example/docs/3", json!({ "session": "s3cret" }), json!({}), true),
        ("https://shop.example/docs/3", json!({ "color": "red" }), json!({}), false),
        // Who asks for the document in clear has chosen so.
        ("http://shop.example/docs/3", json!({}), bearer, false),
    ] {
        let before = service.seen().iter().filter(|seen| seen.path == "/api/x").count();
        let input = json!({
            "document": { "endpoint": { "uri": document } },
            "operationId": "x", "parameters": parameters,
        });
        let outcome = desk.call("openapi", with(input, more)).await;
        let sent = service.seen().iter().filter(|seen| seen.path == "/api/x").count() - before;
        assert_eq!(sent, usize::from(!refused), "{document} {parameters}: {outcome:?}");
        if refused {
            fails(outcome, "configuration 400", "not sent there in clear");
        } else {
            assert_eq!(kind(&outcome), "done", "{document} {parameters}");
        }
    }
}

#[tokio::test]
async fn documents_that_cannot_be_read_are_errors_of_the_definition() {
    let desk = Desk::new();
    let large = format!("{{\"swagger\": \"2.0\", \"x\": \"{}\"}}", "x".repeat(4 << 20));
    for (reply, expected, words) in [
        (Reply::status(404), "communication 404", "OpenAPI document"),
        (Reply::status(503).header("retry-after", "1"), "communication 503", "OpenAPI document"),
        (Reply::status(304), "communication 304", "OpenAPI document"),
        (Reply::status(200).body("text/html", "<html>"), "configuration 400", "no OpenAPI"),
        (Reply::json(&json!({ "openapi": "9.0" })), "configuration 400", "version 9.0"),
        (Reply::status(200).body("application/json", "{"), "configuration 400", "not JSON"),
        (Reply::status(200).body("application/json", large), "communication 500", "exceeds"),
        (Reply::json(&json!({ "swagger": "2.0" })), "configuration 400", "no operation `x`"),
    ] {
        let service = Service::answering(reply).await;
        fails(desk.call("openapi", call(&service, "d", "x", &json!({}))).await, expected, words);
    }
}

#[tokio::test]
async fn a_document_is_read_once_and_by_those_who_may() {
    let service = service().await;
    let desk = Desk::new();
    let input = call(&service, "pets.yaml", "getPetById", &json!({ "petId": 1 }));
    for _ in 0..3 {
        assert_eq!(kind(&desk.call("openapi", input.clone()).await), "done");
    }
    let mut other = input;
    other["document"]["endpoint"]["authentication"] = json!({ "bearer": { "token": "t" } });
    assert_eq!(kind(&desk.call("openapi", other).await), "done");
    let read: Vec<_> =
        service.seen().into_iter().filter(|seen| seen.path.starts_with("/docs/")).collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].header("authorization"), "Bearer t");
    assert_eq!(service.last().header("authorization"), "", "that was for the document only");
}

#[tokio::test]
async fn a_moved_document_is_followed_and_relative_servers_with_it() {
    let service = Service::start(|seen: &Seen| match seen.path.as_str() {
        "/docs/d" => Reply::redirect(302, "/moved/d"),
        "/moved/d" => Reply::json(&json!({
            "openapi": "3.0.0", "servers": [{ "url": "./api" }],
            "paths": { "/x": { "get": { "operationId": "x" } } },
        })),
        _ => Reply::redirect(302, "/end"),
    })
    .await;
    let desk = Desk::new();
    let input = call(&service, "d", "x", &json!({}));
    fails(desk.call("openapi", input.clone()).await, "communication 302", "/moved/api/x");
    let input = with(input, json!({ "redirect": true }));
    fails(desk.call("openapi", input).await, "communication 302", "more than 10 redirects");
}

#[tokio::test]
async fn the_operation_has_outputs_errors_and_credentials_of_its_own() {
    let service = service().await;
    let desk = Desk::new();
    let mut input = with(
        call(&service, "pets.yaml", "deletePet", &json!({ "petId": 1, "api_key": "s3cret" })),
        json!({
            "output": "response", "idempotency_header": "Idem",
            "authentication": { "basic": { "username": "u", "password": "s3cret" } },
        }),
    );
    let response = output(desk.call("openapi", input.clone()).await);
    assert_eq!(response["request"]["method"], "DELETE");
    assert_eq!(response["request"]["uri"], format!("{}/v2/pet/1", service.url));
    assert_eq!(response["content"], json!({ "ok": true }));
    assert!(!response.to_string().contains("s3cret"), "{response}");
    assert_eq!(service.last().header("idem"), uuid::Uuid::nil().to_string());
    assert_eq!(service.last().header("authorization"), "Basic dTpzM2NyZXQ=");
    input["authentication"] = json!({ "digest": { "username": "u", "password": "s3cret" } });
    fails(desk.call("openapi", input).await, "configuration 400", "digest");
}

#[tokio::test]
async fn a_failed_operation_is_judged_by_its_method() {
    let service = Service::start(|seen: &Seen| match seen.path.as_str() {
        "/docs/d" => Reply::status(200).body("application/yaml", PETS),
        _ => Reply::status(500),
    })
    .await;
    let desk = Desk::new();
    for (id, parameters, expected) in [
        ("getPetById", json!({ "petId": 1 }), "communication 500"),
        ("deletePet", json!({ "petId": 1 }), "communication 500"),
        ("addPet", json!({ "pet": {} }), "unknown"),
    ] {
        let input = call(&service, "d", id, &parameters);
        assert_eq!(kind(&desk.call("openapi", input.clone()).await), expected, "{id}");
        let keyed = with(input.clone(), json!({ "idempotency_header": "Idem" }));
        assert_eq!(kind(&desk.call("openapi", keyed).await), "unknown", "{id} keyed");
        let input = with(input, json!({ "repeatable": true }));
        assert_eq!(kind(&desk.call("openapi", input).await), "communication 500", "{id}");
    }
}
