//! The two services that the kit and the cases of the language call, played on loopback: a pet store
//! and an echo (`echo`). The definitions keep their addresses; the adapters are told to look for these hosts
//! here (`Settings::resolve`).

mod echo;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Hosts that are played here.
const HOSTS: [&str; 2] = ["petstore.swagger.io", "httpbin.org"];

/// Pets of the store: a name and a status; their ids count from 1.
const PETS: [(&str, &str); 4] =
    [("Ada", "available"), ("Grace", "available"), ("Edsger", "pending"), ("Barbara", "sold")];

/// The services, until they are dropped.
#[derive(Debug)]
pub struct Services {
    address: SocketAddr,
    running: JoinHandle<()>,
}

impl Services {
    /// Opens them.
    ///
    /// # Errors
    /// The system's.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port on loopback")?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/v2/swagger.json", get(document))
            .route("/v2/pet/findByStatus", get(pets_by_status))
            .route("/v2/pet/{id}", get(pet).put(sold))
            .merge(echo::routes());
        let running = tokio::spawn(async move {
            // A server that ends is seen by the calls that fail.
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { address, running })
    }

    /// Where the hosts of the kit are found.
    #[must_use]
    pub fn hosts(&self) -> BTreeMap<String, SocketAddr> {
        HOSTS.iter().map(|host| ((*host).to_owned(), self.address)).collect()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn shown(id: usize, (name, status): (&str, &str)) -> Value {
    json!({
        "id": id, "name": name, "status": status,
        "category": { "id": 1, "name": "dogs" }, "photoUrls": [], "tags": [],
    })
}

async fn pets_by_status(Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let wanted = query.get("status").map(String::as_str).unwrap_or_default();
    let pets = (1..).zip(PETS).filter(|(_, (_, status))| wanted.split(',').any(|w| w == *status));
    Json(pets.map(|(id, pet)| shown(id, pet)).collect())
}

fn find(id: &str) -> Option<Value> {
    let id: usize = id.parse().ok()?;
    Some(shown(id, *PETS.get(id.checked_sub(1)?)?))
}

fn no_pet() -> Response {
    let body = json!({ "code": 1, "type": "error", "message": "Pet not found" });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

async fn pet(Path(id): Path<String>) -> Response {
    find(&id).map_or_else(no_pet, |pet| Json(pet).into_response())
}

async fn sold(Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    find(&id).map_or_else(no_pet, |_| Json(body).into_response())
}

/// The description of the store, in the old form the real one has.
async fn document(headers: HeaderMap) -> Json<Value> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or(HOSTS[0]);
    // A name was resolved to here and keeps its scheme; an address is what it is.
    let name = host.split(':').next().unwrap_or_default();
    let scheme = if name.parse::<IpAddr>().is_ok() { "http" } else { "https" };
    let parameter = |name: &str, place: &str, more: Value| {
        let mut parameter = json!({ "name": name, "in": place, "required": true });
        if let (Value::Object(parameter), Value::Object(more)) = (&mut parameter, more) {
            parameter.extend(more);
        }
        parameter
    };
    let answer = json!({ "200": { "description": "successful operation" } });
    let status = parameter(
        "status",
        "query",
        json!({ "type": "array", "items": { "type": "string" }, "collectionFormat": "multi" }),
    );
    let id = parameter("petId", "path", json!({ "type": "integer", "format": "int64" }));
    Json(json!({
        "swagger": "2.0",
        "info": { "title": "A pet store on loopback", "version": "1.0.0" },
        "host": host,
        "basePath": "/v2",
        "schemes": [scheme],
        "paths": {
            "/pet/findByStatus": { "get": {
                "operationId": "findPetsByStatus", "produces": ["application/json"],
                "parameters": [status], "responses": answer,
            } },
            "/pet/{petId}": { "get": {
                "operationId": "getPetById", "produces": ["application/json"],
                "parameters": [id], "responses": answer,
            } },
        },
    }))
}
