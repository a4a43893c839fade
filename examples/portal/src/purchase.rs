//! The pages of one purchase: its state, its license, the license as a file.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::context;
use minijinja::value::Serde;
use serde_json::Value;

use crate::App;
use crate::api::{self, Instance, PURCHASE};
use crate::page::Failure;
use crate::story::{self, text_at};

/// Children that are read for the story; a purchase has two.
const CHILDREN_MAX: usize = 4;

/// `GET /purchases/{id}`.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let purchase = find(&app, &id).await?;
    let story = story::tell(&purchase, &children(&app, &purchase).await?);
    let values = context! { id => purchase.id.as_str(), story => Serde(story), inbox_url => app.inbox_url.as_str() };
    app.pages.render(StatusCode::OK, "purchase.html", values)
}

/// `GET /purchases/{id}/license`.
pub(crate) async fn license(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let purchase = find(&app, &id).await?;
    let license = licensed(&purchase)?;
    let values = context! {
        id => purchase.id.as_str(),
        product => text_at(&purchase.context, "/product/name"),
        company => text_at(&purchase.context, "/customer/company"),
        license => Serde(license),
    };
    app.pages.render(StatusCode::OK, "license.html", values)
}

/// `GET /purchases/{id}/license.jwt`: the license alone, as a file.
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let purchase = find(&app, &id).await?;
    let text = text_at(licensed(&purchase)?, "/jws").unwrap_or_default().to_owned();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/jwt")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"license.jwt\""),
        ),
    ];
    Ok((headers, text).into_response())
}

async fn find(app: &App, id: &str) -> Result<Instance, Failure> {
    let found = app.api.instance(id).await?;
    found
        .filter(|instance| instance.definition.name == PURCHASE)
        .ok_or_else(|| Failure::not_found("There is no purchase with this number."))
}

async fn children(app: &App, purchase: &Instance) -> Result<Vec<Instance>, api::Error> {
    let mut children = Vec::new();
    for child in purchase.children.iter().rev().take(CHILDREN_MAX) {
        children.extend(app.api.instance(&child.id).await?);
    }
    Ok(children)
}

fn licensed(purchase: &Instance) -> Result<&Value, Failure> {
    purchase
        .output
        .get("license")
        .filter(|license| text_at(license, "/jws").is_some())
        .ok_or_else(|| Failure::not_found("This purchase has no license yet."))
}
