//! The shop: one form, and the purchase it starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::context;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{self, Finding, PURCHASE};
use crate::page::Failure;
use crate::{App, terms};

/// What is sold here. The price is for the eye; what is paid is what billing quotes.
#[derive(Debug, Serialize)]
pub(crate) struct Offer {
    sku: &'static str,
    name: &'static str,
    what: &'static str,
    /// Minor units per seat and year, without tax.
    price: i64,
    currency: &'static str,
}

const OFFERS: [Offer; 3] = [
    Offer {
        sku: "premium-self-managed-annual",
        name: "Premium",
        what: "On your own servers, with a license file.",
        price: 34_800,
        currency: "USD",
    },
    Offer {
        sku: "ultimate-self-managed-annual",
        name: "Ultimate",
        what: "Everything, on your own servers, with a license file.",
        price: 118_800,
        currency: "USD",
    },
    Offer {
        sku: "premium-self-managed-cloud-annual",
        name: "Premium with cloud licensing",
        what: "On your own servers, with an activation code and no terms to wait for.",
        price: 34_800,
        currency: "USD",
    },
];

/// A payment method of the sandbox.
#[derive(Debug, Serialize)]
pub(crate) struct Card {
    id: &'static str,
    name: &'static str,
    what: &'static str,
}

const CARDS: [Card; 3] = [
    Card { id: "card_ok", name: "Visa ending 4242", what: "works" },
    Card {
        id: "card_declined_insufficient_funds",
        name: "Visa ending 9995",
        what: "declines: no funds",
    },
    Card {
        id: "card_declined_stolen",
        name: "Visa ending 9979",
        what: "declines: reported stolen",
    },
];

/// Most seats of one order.
const SEATS_MAX: u32 = 100_000;
/// Longest answer in a field, in characters.
const TEXT_MAX: usize = 200;

/// What the customer filled in, as typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    /// Names the purchase; made when the form is shown, so sending it twice buys once.
    purchase_id: String,
    sku: String,
    quantity: String,
    company: String,
    first_name: String,
    last_name: String,
    email: String,
    country: String,
    card: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Again {
    again: Option<String>,
}

/// What is wrong with a form: by field, and as a whole.
#[derive(Debug, Default, Serialize)]
struct Problems {
    fields: BTreeMap<&'static str, String>,
    general: Vec<String>,
    /// The purchase that this form started before.
    earlier: Option<String>,
}

/// `GET /`: an empty form, or that of an earlier purchase (`?again=`).
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(query): Query<Again>,
) -> Result<Response, Failure> {
    let earlier = match query.again {
        None => None,
        Some(id) => app.api.instance(&id).await?.filter(|found| found.definition.name == PURCHASE),
    };
    let order = earlier.map_or_else(Order::empty, |earlier| Order::from_input(&earlier.input));
    form(&app, StatusCode::OK, &order, &Problems::default())
}

/// `POST /purchases`: checks the form, starts the purchase, leads to its page.
pub(crate) async fn buy(
    State(app): State<Arc<App>>,
    order: Result<Form<Order>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(mut order) = order.map_err(|_error| Failure::unreadable_form())?;
    if Uuid::parse_str(&order.purchase_id).is_err() {
        order.purchase_id = new_id();
    }
    let quantity = match order.check() {
        Ok(quantity) => quantity,
        Err(problems) => return form(&app, StatusCode::UNPROCESSABLE_ENTITY, &order, &problems),
    };
    let input = order.input(quantity, &app.own_url);
    match app.api.start(&order.purchase_id, &input).await {
        Ok(purchase) => Ok(Redirect::to(&format!("/purchases/{}", purchase.id)).into_response()),
        Err(api::Error::Refused(refusal)) if matches!(refusal.status, 400 | 409 | 422) => {
            let problems = Problems::of(*refusal);
            if problems.earlier.is_some() {
                order.purchase_id = new_id();
            }
            form(&app, StatusCode::UNPROCESSABLE_ENTITY, &order, &problems)
        }
        Err(error) => Err(error.into()),
    }
}

fn form(
    app: &App,
    status: StatusCode,
    order: &Order,
    problems: &Problems,
) -> Result<Response, Failure> {
    let values = context! {
        order => Serde(order),
        problems => Serde(problems),
        offers => Serde(OFFERS),
        cards => Serde(CARDS),
        seats_max => SEATS_MAX,
        inbox_url => app.inbox_url.as_str(),
    };
    app.pages.render(status, "shop.html", values)
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

impl Order {
    fn empty() -> Self {
        let first = |offers: &[Offer]| offers.first().map_or("", |offer| offer.sku).to_owned();
        let card = |cards: &[Card]| cards.first().map_or("", |card| card.id).to_owned();
        Self {
            purchase_id: new_id(),
            sku: first(&OFFERS),
            quantity: "10".to_owned(),
            card: card(&CARDS),
            ..Self::default()
        }
    }

    /// The form of an earlier purchase, as a new one.
    fn from_input(input: &Value) -> Self {
        let text = |pointer: &str| {
            input.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Self {
            purchase_id: new_id(),
            sku: text("/sku"),
            quantity: input.pointer("/quantity").map_or_else(String::new, Value::to_string),
            company: text("/customer/company"),
            first_name: text("/customer/first_name"),
            last_name: text("/customer/last_name"),
            email: text("/customer/email"),
            country: text("/customer/country"),
            card: text("/payment_method"),
        }
    }

    /// Checks what needs no server; gives the number of seats.
    fn check(&self) -> Result<u32, Problems> {
        let mut problems = Problems::default();
        for (name, value, missing) in [
            ("company", &self.company, "Please enter the company."),
            ("first_name", &self.first_name, "Please enter your first name."),
            ("last_name", &self.last_name, "Please enter your last name."),
            ("email", &self.email, "Please enter your e-mail address."),
            ("country", &self.country, "Please enter the country."),
        ] {
            if value.trim().is_empty() {
                problems.fields.insert(name, missing.to_owned());
            } else if value.chars().count() > TEXT_MAX {
                let text = format!("Please use at most {TEXT_MAX} characters.");
                problems.fields.insert(name, text);
            }
        }
        if !problems.fields.contains_key("email") && !looks_like_mail(self.email.trim()) {
            let text = "Please enter an address like name@company.com.".to_owned();
            problems.fields.insert("email", text);
        }
        if !OFFERS.iter().any(|offer| offer.sku == self.sku) {
            problems.fields.insert("sku", "Please choose a product.".to_owned());
        }
        if !CARDS.iter().any(|card| card.id == self.card) {
            problems.fields.insert("card", "Please choose a card.".to_owned());
        }
        let seats = self.quantity.trim().parse().ok().filter(|n| (1..=SEATS_MAX).contains(n));
        match seats {
            Some(seats) if problems.fields.is_empty() => Ok(seats),
            Some(_) => Err(problems),
            None => {
                let text = format!("Please enter a number from 1 to {SEATS_MAX}.");
                problems.fields.insert("quantity", text);
                Err(problems)
            }
        }
    }

    /// The input of the process `purchase-direct`.
    fn input(&self, quantity: u32, own_url: &str) -> Value {
        json!({
            "purchase_id": self.purchase_id,
            "customer": {
                "company": self.company.trim(),
                "first_name": self.first_name.trim(),
                "last_name": self.last_name.trim(),
                "email": self.email.trim(),
                "country": self.country.trim(),
            },
            "sku": self.sku,
            "quantity": quantity,
            "payment_method": self.card,
            "portal_url": own_url,
            "terms": terms::document(),
        })
    }
}

/// Rough: the API has the last word, and the mail itself the very last.
pub(crate) fn looks_like_mail(text: &str) -> bool {
    let has_blank = text.chars().any(|c| c.is_whitespace() || c.is_control());
    !has_blank
        && text.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && host.contains('.') && !host.contains('@')
        })
}

impl Problems {
    /// Puts each finding of the API beside its field.
    fn of(refusal: api::Refusal) -> Self {
        let mut problems = Self::default();
        if let Some(href) = refusal.started {
            problems.earlier = href.rsplit('/').next().map(str::to_owned);
            problems.general.push("This form was sent before with other data.".to_owned());
            return problems;
        }
        for Finding { pointer, detail } in refusal.errors {
            match field_of(&pointer) {
                Some("country") => {
                    let text = "We do not know this country. Please use its English name or its \
                                code of two letters.";
                    problems.fields.insert("country", text.to_owned());
                }
                Some(field) => {
                    problems.fields.entry(field).or_insert(detail);
                }
                None => problems.general.push(detail),
            }
        }
        if problems.fields.is_empty() && problems.general.is_empty() {
            let text = if refusal.detail.is_empty() { refusal.title } else { refusal.detail };
            problems.general.push(text);
        }
        problems
    }
}

/// The field of the form that a place of the input comes from.
fn field_of(pointer: &str) -> Option<&'static str> {
    [
        ("/customer/company", "company"),
        ("/customer/first_name", "first_name"),
        ("/customer/last_name", "last_name"),
        ("/customer/email", "email"),
        ("/customer/country", "country"),
        ("/sku", "sku"),
        ("/quantity", "quantity"),
        ("/payment_method", "card"),
    ]
    .into_iter()
    .find_map(|(place, field)| (place == pointer).then_some(field))
}
