//! Orders that bill and collect at once.
//!
//! `allowPaymentFailure: false` makes Zuora roll the whole order back when the payment fails, so
//! a declined card leaves neither subscription nor invoice. Should a tenant keep the order all
//! the same, the subscription is cancelled before the decline is told.

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_adapter::{Lookup, Outcome, Reason, Request};

use super::{Zuora, reply, unanswered, word};
use crate::catalog::{Product, product};
use crate::http::{Body, Budget, Call, segment};
use crate::input::{decode, invalid};
use crate::money;

#[derive(Deserialize)]
struct Preview {
    account: Option<String>,
    sku: String,
    quantity: u64,
    start_date: Date,
    country: String,
}

#[derive(Deserialize)]
struct Create {
    order_number: String,
    account_number: String,
    subscription_number: String,
    sku: String,
    quantity: u64,
    order_date: Date,
    term_start: Date,
    term_months: u16,
    payment_method: String,
    amount: i64,
    currency: String,
}

#[derive(Deserialize)]
struct ByNumber {
    order_number: String,
}

/// The order actions both preview and order send.
fn subscription(
    product: &Product,
    quantity: u64,
    start: Date,
    months: u16,
    number: Option<&str>,
) -> Value {
    let mut create = json!({
        "terms": {
            "initialTerm": {
                "period": months,
                "periodType": "Month",
                "startDate": start,
                "termType": "TERMED",
            },
            "autoRenew": false,
            "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
            "renewalTerms": [{ "period": months, "periodType": "Month" }],
        },
        "subscribeToRatePlans": [{
            "productRatePlanId": product.billing_rate_plan,
            "chargeOverrides": [{
                "productRatePlanChargeId": product.billing_charge,
                "pricing": { "recurringPerUnit": { "quantity": quantity } },
            }],
        }],
    });
    if let (Some(number), Some(create)) = (number, create.as_object_mut()) {
        create.insert("subscriptionNumber".to_owned(), json!(number));
    }
    let trigger = |name: &str| json!({ "name": name, "triggerDate": start });
    json!({ "orderActions": [{
        "type": "CreateSubscription",
        "triggerDates": [
            trigger("ContractEffective"),
            trigger("ServiceActivation"),
            trigger("CustomerAcceptance"),
        ],
        "createSubscription": create,
    }] })
}

fn known(sku: &str) -> Result<&'static Product, Outcome> {
    product(sku).ok_or_else(|| invalid(format!("there is no product `{sku}`")))
}

impl Zuora {
    pub(super) async fn preview_order(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        /// A quote is for one year: prices are per seat and year.
        const MONTHS: u16 = 12;
        let input: Preview = decode(request)?;
        let product = known(&input.sku)?;
        let mut body = json!({
            "orderDate": input.start_date,
            "subscriptions": [subscription(product, input.quantity, input.start_date, MONTHS, None)],
            "previewOptions": { "previewThruType": "TermEnd", "previewTypes": ["BillingDocs"] },
        });
        let who = match &input.account {
            Some(number) => ("existingAccountNumber", json!(number)),
            None => (
                "previewAccountInfo",
                json!({
                    "currency": product.currency,
                    "billCycleDay": 1,
                    "soldToContact": { "country": input.country },
                }),
            ),
        };
        if let Some(body) = body.as_object_mut() {
            body.insert(who.0.to_owned(), who.1);
        }
        // A preview changes nothing and carries no key: a remembered price would be a wrong one.
        let url = self.remote.url("/v1/orders/preview")?;
        let answer = self.call(Call::new(Method::POST, url).body(Body::Json(body)), budget).await?;
        let invoice = answer.pointer("/previewResult/invoices/0").unwrap_or(&Value::Null);
        let amount = |name: &str| {
            let value = invoice.get(name).unwrap_or(&Value::Null);
            money::minor(value, &product.currency).ok_or_else(|| Outcome::Unknown {
                detail: format!("Zuora's preview has no readable `{name}`: {invoice}"),
            })
        };
        Ok(json!({
            "amount": amount("amountWithoutTax")?,
            "tax": amount("taxAmount")?,
            "total": amount("amount")?,
            "currency": product.currency,
        }))
    }

    pub(super) async fn create_order(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let input: Create = decode(request)?;
        let product = known(&input.sku)?;
        let body = json!({
            "orderNumber": input.order_number,
            "orderDate": input.order_date,
            "existingAccountNumber": input.account_number,
            "subscriptions": [subscription(
                product,
                input.quantity,
                input.term_start,
                input.term_months,
                Some(&input.subscription_number),
            )],
            "processingOptions": {
                "runBilling": true,
                "collectPayment": true,
                "allowPaymentFailure": false,
                "billingOptions": { "targetDate": input.term_start },
                "electronicPaymentOptions": {
                    "paymentMethodId": input.payment_method,
                    "gatewayOrderId": gateway_order(&input.order_number),
                },
            },
        });
        let answer = self.post("/v1/orders", request.key, body, budget).await?;
        if let Some(declined) = reply::payment_failure(&answer) {
            self.undo(&input.subscription_number, input.term_start, budget).await?;
            return Err(declined);
        }
        let paid = answer.get("paidAmount").and_then(|v| money::minor(v, &input.currency));
        let paid = paid.ok_or_else(|| Outcome::Unknown {
            detail: format!("Zuora made order {} without a paid amount", input.order_number),
        })?;
        let first = |list: &str| answer.pointer(&format!("/{list}/0")).cloned();
        input.output(&Paid {
            amount: paid,
            subscription_id: first("subscriptionIds"),
            invoice_number: first("invoiceNumbers"),
            payment_id: answer.get("paymentId").cloned(),
            payment_number: answer.get("paymentNumber").cloned(),
            status: answer.get("status").cloned(),
        })
    }

    /// Leaves nothing active of an order whose payment failed. Its own failure makes the outcome
    /// unknown, and the look-up tries again.
    async fn undo(&self, number: &str, start: Date, budget: &Budget) -> Result<(), Outcome> {
        match self.cancel(number, "SpecificDate", Some(start), budget).await {
            Ok(_) => Ok(()),
            Err(outcome) => Err(Outcome::Unknown {
                detail: format!(
                    "the payment failed and {number} could not be cancelled: {outcome:?}"
                ),
            }),
        }
    }

    pub(super) async fn look_up_order(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Lookup, Outcome> {
        let input: Create = decode(request)?;
        let number = &input.order_number;
        let path = format!("/v1/orders/{}", segment(number));
        let Some(answer) = self.find(&path, budget).await? else { return Ok(Lookup::Absent) };
        let order = answer.get("order").unwrap_or(&Value::Null);
        match ordered(order) {
            None => {
                return Ok(Lookup::Unknown {
                    detail: format!(
                        "Zuora's order {number} does not say what was ordered: {order}"
                    ),
                });
            }
            Some(found) if found == input.wanted(known(&input.sku)?) => {}
            // Numbers are unique, so ours never came to be: the business used this one twice.
            Some(found) => {
                let detail = format!(
                    "the order number {number} belongs to another purchase ({found}): use a number of its \
                     own for each"
                );
                let outcome =
                    Outcome::Rejected { reason: Reason::Invalid, detail, retry_after_ms: None };
                return Ok(Lookup::Happened { outcome });
            }
        }
        let payment = self.payment_of(number, budget).await?;
        let Some(payment) = payment else {
            // The order is there and no payment is: perhaps it is still under way.
            return Ok(Lookup::Unknown {
                detail: format!("Zuora has order {number} but no payment for it"),
            });
        };
        if word(&payment, "status").as_deref() != Some("Processed") {
            let code = word(&payment, "gatewayResponseCode").unwrap_or_default();
            let words = word(&payment, "gatewayResponse").unwrap_or_default();
            if let Err(outcome) =
                self.undo(&input.subscription_number, input.term_start, budget).await
            {
                return Ok(unanswered(&outcome));
            }
            let outcome = crate::decline::outcome(&code, &words);
            return Ok(Lookup::Happened { outcome });
        }
        let output = self.output_of(&input, order, &payment, budget).await?;
        Ok(Lookup::Happened { outcome: Outcome::Done { output } })
    }

    /// The output the lost answer would have led to.
    async fn output_of(
        &self,
        input: &Create,
        order: &Value,
        payment: &Value,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let subscription = self.subscription(&input.subscription_number, budget).await?;
        let invoice = match payment.pointer("/invoiceIds/0").and_then(Value::as_str) {
            Some(id) => self.get(&format!("/v1/invoices/{}", segment(id)), budget).await?,
            None => Value::Null,
        };
        let amount = payment.get("amount").and_then(|v| money::minor(v, &input.currency));
        input.output(&Paid {
            amount: amount.ok_or_else(|| Outcome::Unknown {
                detail: format!("the payment of order {} has no amount", input.order_number),
            })?,
            subscription_id: subscription.and_then(|s| s.get("subscription_id").cloned()),
            invoice_number: invoice.get("invoiceNumber").cloned(),
            payment_id: payment.get("id").cloned(),
            payment_number: payment.get("paymentNumber").cloned(),
            status: order.get("status").cloned(),
        })
    }

    /// The payment of an order, by the order id given to the gateway, with its invoices.
    async fn payment_of(&self, order: &str, budget: &Budget) -> Result<Option<Value>, Outcome> {
        let url = self.remote.url("/object-query/payments")?;
        let call = Call::new(Method::GET, url)
            .query("filter[]", format!("gatewayOrderId.EQ:{}", gateway_order(order)));
        let payments = self.query(call, budget).await?;
        let Some(mut payment) = payments.into_iter().next_back() else { return Ok(None) };
        let id = word(&payment, "id").unwrap_or_default();
        let url = self.remote.url("/object-query/payment-applications")?;
        let call = Call::new(Method::GET, url).query("filter[]", format!("paymentId.EQ:{id}"));
        let applications = self.query(call, budget).await?;
        let ids: Vec<_> = applications.iter().filter_map(|a| word(a, "invoiceId")).collect();
        if let Some(payment) = payment.as_object_mut() {
            payment.insert("invoiceIds".to_owned(), json!(ids));
        }
        Ok(Some(payment))
    }

    /// An object query; its answers have no `success`.
    async fn query(&self, call: Call, budget: &Budget) -> Result<Vec<Value>, Outcome> {
        let refused = |answer: &crate::http::Answer| answer.status == 401;
        let answer = self.session.send(&self.remote, &call, budget, refused).await?;
        if answer.status != 200 {
            return reply::read(&answer).map(|_| Vec::new());
        }
        let body = answer.json().unwrap_or_default();
        match body.get("data").and_then(Value::as_array) {
            Some(list) => Ok(list.clone()),
            None => reply::read(&answer).map(|_| Vec::new()),
        }
    }

    pub(super) async fn cancel_order(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let ByNumber { order_number } = decode(request)?;
        let path = format!("/v1/orders/{}", segment(&order_number));
        let done = |status: &str| json!({ "order_number": order_number, "status": status });
        let Some(answer) = self.find(&path, budget).await? else { return Ok(done("Absent")) };
        let status = answer.pointer("/order/status").and_then(Value::as_str).unwrap_or_default();
        match status {
            "Cancelled" => Ok(done(status)),
            "Completed" => Err(invalid(format!(
                "order {order_number} is completed: cancel its subscription instead"
            ))),
            _ => {
                self.put(&format!("{path}/cancel"), json!({}), budget).await?;
                Ok(done("Cancelled"))
            }
        }
    }
}

/// What an order is about: two with one number are the same purchase only when all of it is equal.
#[derive(Debug, PartialEq, Eq)]
struct Ordered {
    account: String,
    subscription: String,
    rate_plan: String,
    /// As Zuora writes it, which may be `5` or `5.0`.
    quantity: String,
}

impl std::fmt::Display for Ordered {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account, subscription, rate_plan, quantity } = self;
        write!(
            out,
            "account {account}, subscription {subscription}, {quantity} of rate plan {rate_plan}"
        )
    }
}

/// What Zuora says an order is about; not what became of its subscription since.
fn ordered(order: &Value) -> Option<Ordered> {
    let subscription = order.pointer("/subscriptions/0")?;
    let actions = subscription.get("orderActions").and_then(Value::as_array)?;
    let create = actions.iter().find_map(|action| action.get("createSubscription"))?;
    let plan = create.pointer("/subscribeToRatePlans/0")?;
    let quantity = plan.pointer("/chargeOverrides/0/pricing/recurringPerUnit/quantity")?;
    Some(Ordered {
        account: word(order, "existingAccountNumber")?,
        subscription: word(subscription, "subscriptionNumber")?,
        rate_plan: word(plan, "productRatePlanId")?,
        quantity: quantity.to_string().trim_end_matches(".0").to_owned(),
    })
}

/// What differs between an answer and a look-up.
struct Paid {
    amount: i64,
    subscription_id: Option<Value>,
    invoice_number: Option<Value>,
    payment_id: Option<Value>,
    payment_number: Option<Value>,
    status: Option<Value>,
}

impl Create {
    fn wanted(&self, product: &Product) -> Ordered {
        Ordered {
            account: self.account_number.clone(),
            subscription: self.subscription_number.clone(),
            rate_plan: product.billing_rate_plan.clone(),
            quantity: self.quantity.to_string(),
        }
    }

    fn output(&self, paid: &Paid) -> Result<Value, Outcome> {
        let months: Span = i64::from(self.term_months).months();
        let end = self.term_start.checked_add(months);
        let end = end.map_err(|error| invalid(format!("the term cannot end: {error}")))?;
        if paid.amount != self.amount {
            // The money moved; what to do about a difference is for people.
            tracing::warn!(
                order = self.order_number,
                expected = self.amount,
                paid = paid.amount,
                "the paid amount differs from the quote"
            );
        }
        Ok(json!({
            "order_number": self.order_number,
            "subscription_number": self.subscription_number,
            "subscription_id": paid.subscription_id,
            "invoice_number": paid.invoice_number,
            "payment_id": paid.payment_id,
            "payment_number": paid.payment_number,
            "amount": paid.amount,
            "currency": self.currency,
            "term_start": self.term_start,
            "term_end": end,
            "status": paid.status,
        }))
    }
}

/// The order id given to the gateway, which takes 50 characters: the last ones distinguish.
fn gateway_order(number: &str) -> String {
    /// The gateways' limit.
    const GATEWAY_ORDER_MAX: usize = 50;
    let skip = number.chars().count().saturating_sub(GATEWAY_ORDER_MAX);
    number.chars().skip(skip).collect()
}
