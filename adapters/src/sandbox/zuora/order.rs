//! Orders: validation, price and tax, the payment, and what all of it leaves behind.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    Action, Decline, Desk, Documents, Effect, Worked, code, found, no, refused, serve, word,
};
use crate::catalog::{Product, products};
use crate::{country, money};

/// Tax in percent by country of the sold-to contact; none elsewhere.
const TAX: [(&str, i64); 4] = [("DE", 19), ("FR", 20), ("GB", 20), ("NL", 21)];
/// Largest quantity of one order.
const QUANTITY_MAX: u64 = 1_000_000;

/// An order that was understood.
struct Line {
    product: &'static Product,
    quantity: i64,
    start: Date,
    end: Date,
    months: i64,
    net: i64,
    tax: i64,
}

impl Line {
    fn total(&self) -> i64 {
        self.net + self.tax
    }

    fn money(&self, amount: i64) -> Value {
        money::number(amount, &self.product.currency)
    }
}

/// Reads the order actions, or refuses them as Zuora would.
fn line(request: &Value, country: Option<&str>) -> Result<Line, Worked> {
    let missing = |what: &str| no(code::MISSING, format!("'{what}' is required"));
    if word(request, "/orderDate").and_then(|date| date.parse::<Date>().ok()).is_none() {
        return Err(missing("orderDate"));
    }
    let action = request.pointer("/subscriptions/0/orderActions/0");
    let action = action.ok_or_else(|| missing("subscriptions[0].orderActions[0]"))?;
    if word(action, "/type") != Some("CreateSubscription") {
        return Err(no(code::INVALID, "the sandbox knows the action CreateSubscription only"));
    }
    let create = action.get("createSubscription").ok_or_else(|| missing("createSubscription"))?;
    let term = create.pointer("/terms/initialTerm").ok_or_else(|| missing("initialTerm"))?;
    let start = word(term, "/startDate").and_then(|date| date.parse::<Date>().ok());
    let start = start.ok_or_else(|| missing("initialTerm.startDate"))?;
    let months = term.get("period").and_then(Value::as_i64).filter(|n| (1..=120).contains(n));
    let months = months.ok_or_else(|| missing("initialTerm.period"))?;
    let plan = create.pointer("/subscribeToRatePlans/0").ok_or_else(|| missing("ratePlan"))?;
    let id = word(plan, "/productRatePlanId").unwrap_or_default();
    let product = products().iter().find(|product| product.billing_rate_plan == id);
    let product =
        product.ok_or_else(|| no(code::INVALID, format!("productRatePlanId '{id}' is invalid")))?;
    let charge = word(plan, "/chargeOverrides/0/productRatePlanChargeId");
    if charge != Some(product.billing_charge.as_str()) {
        return Err(no(code::INVALID, "productRatePlanChargeId does not belong to the rate plan"));
    }
    let quantity = plan.pointer("/chargeOverrides/0/pricing/recurringPerUnit/quantity");
    let quantity = quantity.and_then(Value::as_u64).filter(|n| (1..=QUANTITY_MAX).contains(n));
    let quantity = quantity.and_then(|n| i64::try_from(n).ok());
    let quantity = quantity.ok_or_else(|| no(code::INVALID, "the quantity is invalid"))?;
    let end = start.checked_add(months.months());
    let end = end.map_err(|error| no(code::INVALID, error.to_string()))?;
    let net = quantity * product.unit_price * months / 12;
    let rate = TAX.iter().find(|(code, _)| Some(*code) == country).map_or(0, |(_, rate)| *rate);
    // Half a minor unit rounds up.
    let tax = (net * rate + 50) / 100;
    Ok(Line { product, quantity, start, end, months, net, tax })
}

fn sold_to(account: &Value) -> Option<&'static str> {
    let text = word(account, "/soldToContact/country")?;
    country::normalize(text).map(|country| country.code.as_str())
}

pub(super) async fn preview(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&desk, "previewOrder", &uri, &headers, &body, |documents, request, _| {
        previewed(documents, request).unwrap_or_else(|refusal| refusal)
    })
    .await
}

fn previewed(documents: &Documents, request: &Value) -> Result<Worked, Worked> {
    if request.get("previewOptions").is_none() {
        return Err(no(code::MISSING, "'previewOptions' is required"));
    }
    let country = match word(request, "/existingAccountNumber") {
        Some(number) => {
            let account = documents.get("account", number);
            sold_to(
                account
                    .ok_or_else(|| no(code::ABSENT, format!("Cannot find account {number}.")))?,
            )
        }
        None => {
            let info = request.get("previewAccountInfo");
            let info = info.ok_or_else(|| no(code::MISSING, "'previewAccountInfo' is required"))?;
            sold_to(info)
        }
    };
    let line = line(request, country)?;
    Ok(Worked::only(
        200,
        json!({
            "success": true,
            "previewResult": { "invoices": [{
                "amount": line.money(line.total()),
                "amountWithoutTax": line.money(line.net),
                "taxAmount": line.money(line.tax),
                "targetDate": line.start,
                "invoiceItems": [{
                    "serviceStartDate": line.start,
                    "serviceEndDate": line.end,
                    "productName": line.product.name,
                    "unitPrice": line.money(line.product.unit_price),
                    "amountWithoutTax": line.money(line.net),
                    "taxAmount": line.money(line.tax),
                }],
            }] },
        }),
    ))
}

pub(super) async fn create(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&desk, "createOrder", &uri, &headers, &body, |documents, request, decline| {
        ordered(documents, request, decline.as_ref()).unwrap_or_else(|refusal| refusal)
    })
    .await
}

/// What the gateway says to a payment method of the sandbox.
fn gateway(method: &str) -> Result<Option<&str>, Worked> {
    match method {
        "card_ok" => Ok(None),
        "card_expired" => Ok(Some("expired_card")),
        _ => match method.strip_prefix("card_declined_") {
            Some("stolen") => Ok(Some("stolen_card")),
            Some("lost") => Ok(Some("lost_card")),
            Some(code) => Ok(Some(code)),
            None => Err(no(code::INVALID, format!("payment method '{method}' does not exist"))),
        },
    }
}

fn ordered(
    documents: &Documents,
    request: &Value,
    decline: Option<&Decline>,
) -> Result<Worked, Worked> {
    let account_number = word(request, "/existingAccountNumber").unwrap_or_default();
    let account = documents.get("account", account_number);
    let account = account
        .ok_or_else(|| no(code::ABSENT, format!("Cannot find account {account_number}.")))?;
    let next = documents.next("order");
    let number =
        word(request, "/orderNumber").map_or_else(|| format!("O-{next:08}"), str::to_owned);
    if documents.get("order", &number).is_some() {
        return Err(no(code::RULE, format!("The order number {number} already exists.")));
    }
    let line = line(request, sold_to(account))?;
    let named = "/subscriptions/0/orderActions/0/createSubscription/subscriptionNumber";
    let subscription = word(request, named).map_or_else(|| format!("A-S{next:08}"), str::to_owned);
    if documents.get("subscription", &subscription).is_some() {
        return Err(no(code::RULE, format!("The subscription {subscription} already exists.")));
    }
    let options = request.get("processingOptions").unwrap_or(&Value::Null);
    let truth = |name: &str| options.get(name).and_then(Value::as_bool).unwrap_or(false);
    if !truth("runBilling") || !truth("collectPayment") {
        return Err(no(code::INVALID, "the sandbox takes orders that bill and collect only"));
    }
    let method = word(options, "/electronicPaymentOptions/paymentMethodId");
    let method = method.ok_or_else(|| no(code::MISSING, "'paymentMethodId' is required"))?;
    let declined = decline.map(|decline| decline.code.as_str()).or(gateway(method)?);
    let kept = decline.is_some_and(|decline| decline.kept) || truth("allowPaymentFailure");
    let order = Order { number, subscription, account_number, line, next, request };
    match declined {
        Some(code) if !kept => Err(order.rolled_back(code)),
        Some(code) => Ok(order.unpaid(code)),
        None => Ok(order.paid(account)),
    }
}

/// An order about to be made.
struct Order<'a> {
    number: String,
    subscription: String,
    account_number: &'a str,
    line: Line,
    next: usize,
    request: &'a Value,
}

impl Order<'_> {
    fn gateway_order(&self) -> Value {
        let pointer = "/processingOptions/electronicPaymentOptions/gatewayOrderId";
        self.request.pointer(pointer).cloned().unwrap_or_default()
    }

    /// All or nothing: only the gateway remembers.
    fn rolled_back(&self, gateway: &str) -> Worked {
        let text = format!("Transaction declined. {gateway} - the bank refused the payment.");
        let effect = Effect {
            action: Action::Declined,
            kind: "payment".to_owned(),
            id: format!("declined:{}:{gateway}", self.number),
            document: json!({ "gatewayResponseCode": gateway, "amount": self.line.total() }),
        };
        Worked { status: 200, reply: refused(&json!(code::PAYMENT), &text), effects: vec![effect] }
    }

    /// The order stands although the payment failed (`allowPaymentFailure`).
    fn unpaid(&self, gateway: &str) -> Worked {
        let mut effects = self.effects();
        effects.push(self.payment("Error", gateway));
        let mut reply = self.reply();
        if let Some(reply) = reply.as_object_mut() {
            reply.insert("paidAmount".to_owned(), json!("0"));
            reply.insert("paymentStatus".to_owned(), json!("Error"));
            reply.insert("paymentErrorCode".to_owned(), json!(gateway));
            reply.insert("paymentErrorMessage".to_owned(), json!("the bank refused the payment"));
        }
        Worked { status: 200, reply, effects }
    }

    fn paid(&self, account: &Value) -> Worked {
        let mut effects = self.effects();
        effects.push(self.payment("Processed", "approved"));
        effects.push(self.made(
            "payment_application",
            &format!("PA-{:08}", self.next),
            json!({
                "paymentId": self.payment_id(),
                "invoiceId": self.invoice_id(),
                "amount": self.line.money(self.line.total()),
            }),
        ));
        let mut reply = self.reply();
        if let Some(reply) = reply.as_object_mut() {
            let paid = money::major(self.line.total(), &self.line.product.currency);
            reply.insert("paidAmount".to_owned(), json!(paid));
            reply.insert("paymentId".to_owned(), json!(self.payment_id()));
            reply.insert("paymentNumber".to_owned(), json!(self.payment_number()));
            reply.insert("accountId".to_owned(), json!(word(account, "/basicInfo/id")));
        }
        Worked { status: 200, reply, effects }
    }

    fn reply(&self) -> Value {
        json!({
            "success": true,
            "orderNumber": self.number,
            "accountNumber": self.account_number,
            "status": "Completed",
            "subscriptionNumbers": [self.subscription],
            "subscriptionIds": [self.subscription_id()],
            "invoiceNumbers": [self.invoice_number()],
            "invoiceIds": [self.invoice_id()],
        })
    }

    fn effects(&self) -> Vec<Effect> {
        let line = &self.line;
        let order = json!({
            "orderNumber": self.number,
            "existingAccountNumber": self.account_number,
            "orderDate": self.request.get("orderDate"),
            "status": "Completed",
            "subscriptions": [{
                "subscriptionNumber": self.subscription,
                "orderActions": self.request.pointer("/subscriptions/0/orderActions"),
            }],
        });
        let subscription = json!({
            "id": self.subscription_id(),
            "subscriptionNumber": self.subscription,
            "accountNumber": self.account_number,
            "orderNumber": self.number,
            "status": "Active",
            "termType": "TERMED",
            "initialTerm": line.months,
            "termStartDate": line.start,
            "termEndDate": line.end,
            "subscriptionStartDate": line.start,
            "subscriptionEndDate": line.end,
            "autoRenew": false,
            "ratePlans": [{
                "productRatePlanId": line.product.billing_rate_plan,
                "productSku": line.product.sku,
                "ratePlanCharges": [{
                    "productRatePlanChargeId": line.product.billing_charge,
                    "quantity": line.quantity,
                }],
            }],
        });
        let invoice = json!({
            "id": self.invoice_id(),
            "invoiceNumber": self.invoice_number(),
            "accountNumber": self.account_number,
            "amount": line.money(line.total()),
            "taxAmount": line.money(line.tax),
            "status": "Posted",
        });
        vec![
            self.made("order", &self.number, order),
            self.made("subscription", &self.subscription, subscription),
            self.made("invoice", &self.invoice_number(), invoice),
        ]
    }

    fn payment(&self, status: &str, gateway: &str) -> Effect {
        let document = json!({
            "id": self.payment_id(),
            "paymentNumber": self.payment_number(),
            "amount": self.line.money(self.line.total()),
            "currency": self.line.product.currency,
            "status": status,
            "gatewayOrderId": self.gateway_order(),
            "gatewayResponseCode": gateway,
        });
        self.made("payment", &self.payment_number(), document)
    }

    fn made(&self, kind: &str, id: &str, document: Value) -> Effect {
        Effect { action: Action::Created, kind: kind.to_owned(), id: id.to_owned(), document }
    }

    fn subscription_id(&self) -> String {
        format!("sub{:029}", self.next)
    }

    fn invoice_id(&self) -> String {
        format!("inv{:029}", self.next)
    }

    fn invoice_number(&self) -> String {
        format!("INV-{:08}", self.next)
    }

    fn payment_id(&self) -> String {
        format!("pay{:029}", self.next)
    }

    fn payment_number(&self) -> String {
        format!("P-{:08}", self.next)
    }
}

pub(super) async fn read(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "getOrder", &uri, &headers, b"", move |documents, _, _| {
        let order = documents.get("order", &number).map(|order| json!({ "order": order }));
        found(order.as_ref(), &format!("order {number}"))
    })
    .await
}

pub(super) async fn cancel(
    State(desk): State<Arc<Desk>>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "cancelOrder", &uri, &headers, b"", move |documents, _, _| {
        match documents.get("order", &number) {
            Some(_) => no(code::RULE, "Only draft and scheduled orders can be cancelled."),
            None => no(code::ABSENT, format!("Cannot find order {number}.")),
        }
    })
    .await
}

/// The filter of an object query: `filter[]=FIELD.EQ:VALUE`.
type Filter = Query<Vec<(String, String)>>;

/// Documents of a kind whose field has a value.
fn queried(documents: &Documents, kind: &str, Query(filters): &Filter) -> Worked {
    let wanted: Vec<_> = filters
        .iter()
        .filter(|(name, _)| name == "filter[]")
        .filter_map(|(_, filter)| filter.split_once(".EQ:"))
        .collect();
    if wanted.is_empty() {
        return no(code::INVALID, "a filter[] of the form FIELD.EQ:VALUE is required");
    }
    let fits = |document: &&Value| {
        wanted
            .iter()
            .all(|(field, value)| document.get(*field).and_then(Value::as_str) == Some(value))
    };
    let data: Vec<_> = documents.all(kind).map(|(_, document)| document).filter(fits).collect();
    Worked::only(200, json!({ "data": data }))
}

pub(super) async fn payments(
    State(desk): State<Arc<Desk>>,
    filter: Filter,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "queryPayments", &uri, &headers, b"", move |documents, _, _| {
        queried(documents, "payment", &filter)
    })
    .await
}

pub(super) async fn payment_applications(
    State(desk): State<Arc<Desk>>,
    filter: Filter,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    serve(&desk, "queryPaymentApplications", &uri, &headers, b"", move |documents, _, _| {
        queried(documents, "payment_application", &filter)
    })
    .await
}
