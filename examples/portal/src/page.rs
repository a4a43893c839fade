//! Pages: templates, and what is shown when there is none to show.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::{Environment, Error, Value, context};

use crate::api;

const STYLESHEET: &str = include_str!("../assets/portal.css");

const TEMPLATES: [(&str, &str); 8] = [
    ("answer.html", include_str!("../templates/answer.html")),
    ("field.html", include_str!("../templates/field.html")),
    ("layout.html", include_str!("../templates/layout.html")),
    ("license.html", include_str!("../templates/license.html")),
    ("message.html", include_str!("../templates/message.html")),
    ("purchase.html", include_str!("../templates/purchase.html")),
    ("shop.html", include_str!("../templates/shop.html")),
    ("terms.html", include_str!("../templates/terms.html")),
];

/// Currencies whose amounts have no minor unit.
const WHOLE_CURRENCIES: [&str; 4] = ["CLP", "ISK", "JPY", "KRW"];

/// The templates, compiled.
pub(crate) struct Pages {
    environment: Environment<'static>,
}

impl Pages {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment
                .add_template(name, source)
                .expect("the templates are embedded, and a test renders each");
        }
        environment.add_filter("money", |amount: i64, currency: &str| money(amount, currency));
        Self { environment }
    }

    /// Renders a page.
    pub(crate) fn render(
        &self,
        status: StatusCode,
        name: &str,
        values: Value,
    ) -> Result<Response, Failure> {
        let html = self.environment.get_template(name).and_then(|page| page.render(values))?;
        Ok((status, Html(html)).into_response())
    }
}

/// Minor units as people write them, the way the mails do.
pub(crate) fn money(amount: i64, currency: &str) -> String {
    if WHOLE_CURRENCIES.contains(&currency) {
        return format!("{currency} {}", grouped(amount));
    }
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, cents) = (amount.unsigned_abs() / 100, amount.unsigned_abs() % 100);
    format!("{currency} {sign}{}.{cents:02}", grouped(i64::try_from(whole).unwrap_or(i64::MAX)))
}

fn grouped(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if amount < 0 { format!("-{text}") } else { text }
}

/// The style sheet.
pub(crate) async fn stylesheet() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("max-age=300")),
    ];
    (headers, STYLESHEET).into_response()
}

/// A page that says why there is no other.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    title: &'static str,
    text: String,
}

impl Failure {
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, title: "Not found", text: text.into() }
    }

    pub(crate) fn method(method: &Method) -> Self {
        let text = format!("This page does not take {method}.");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, title: "Not possible", text }
    }

    pub(crate) fn unreadable_form() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "The form cannot be read",
            text: "Please go back, load the page again and fill in the form once more.".to_owned(),
        }
    }

    pub(crate) fn foreign_host() -> Self {
        Self {
            status: StatusCode::MISDIRECTED_REQUEST,
            title: "Wrong address",
            text: "This portal answers on this machine only. Open it as localhost or 127.0.0.1."
                .to_owned(),
        }
    }

    pub(crate) fn foreign_form() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            title: "Refused",
            text: "This form was sent by another site. Please open the portal and start there."
                .to_owned(),
        }
    }
}

impl From<api::Error> for Failure {
    fn from(error: api::Error) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the API gave no usable answer");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "Please try again in a moment",
            text: "Our systems do not answer right now. Nothing is lost: load this page again."
                .to_owned(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a page could not be rendered");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            title: "This page is broken",
            text: "The fault is ours, and it is noted.".to_owned(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let values = context! { title => self.title, text => self.text };
        // Failures are rare, and one that comes before the handlers has no state at hand.
        match Pages::new().render(self.status, "message.html", values) {
            Ok(response) => response,
            Err(_) => (self.status, self.title).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_as_people_do() {
        for (amount, currency, expected) in [
            (0, "USD", "USD 0.00"),
            (5, "USD", "USD 0.05"),
            (-5, "USD", "USD -0.05"),
            (34_800, "USD", "USD 348.00"),
            (123_456_789, "EUR", "EUR 1,234,567.89"),
            (-123_456, "EUR", "EUR -1,234.56"),
            (123_456, "JPY", "JPY 123,456"),
        ] {
            assert_eq!(money(amount, currency), expected);
        }
    }
}
