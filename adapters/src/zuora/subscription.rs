//! Subscriptions: reading, and cancelling by reading first.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_adapter::{Outcome, Request};

use super::{Zuora, word};
use crate::http::{Budget, segment};
use crate::input::{decode, invalid};

#[derive(Deserialize)]
struct ByNumber {
    subscription_number: String,
}

#[derive(Deserialize)]
struct Cancel {
    subscription_number: String,
    effective_date: Option<Date>,
    policy: String,
}

impl Zuora {
    pub(super) async fn get_subscription(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let ByNumber { subscription_number } = decode(request)?;
        let found = self.subscription(&subscription_number, budget).await?;
        found.ok_or_else(|| invalid(format!("Zuora has no subscription {subscription_number}")))
    }

    /// A subscription in our words.
    pub(super) async fn subscription(
        &self,
        number: &str,
        budget: &Budget,
    ) -> Result<Option<Value>, Outcome> {
        let path = format!("/v1/subscriptions/{}", segment(number));
        let Some(answer) = self.find(&path, budget).await? else { return Ok(None) };
        Ok(Some(json!({
            "subscription_number": word(&answer, "subscriptionNumber"),
            "subscription_id": word(&answer, "id"),
            "account_number": word(&answer, "accountNumber"),
            "order_number": word(&answer, "orderNumber"),
            "status": word(&answer, "status"),
            "term_start": word(&answer, "termStartDate"),
            "term_end": word(&answer, "termEndDate"),
            "cancelled_on": word(&answer, "scheduledCancelDate"),
            "auto_renew": answer.get("autoRenew"),
        })))
    }

    pub(super) async fn cancel_subscription(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let input: Cancel = decode(request)?;
        let date = input.effective_date;
        self.cancel(&input.subscription_number, &input.policy, date, budget).await
    }

    /// Cancels unless that happened before. A subscription that does not exist is not active
    /// either, which is what a compensation wants.
    pub(super) async fn cancel(
        &self,
        number: &str,
        policy: &str,
        effective: Option<Date>,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let done = |status: &str, on: Option<&str>| json!({ "subscription_number": number, "status": status, "cancelled_on": on });
        let Some(found) = self.subscription(number, budget).await? else {
            return Ok(done("Absent", None));
        };
        let status = word(&found, "status").unwrap_or_default();
        let on = word(&found, "cancelled_on");
        if status == "Cancelled" || on.is_some() {
            return Ok(done(&status, on.as_deref()));
        }
        let mut body =
            json!({ "cancellationPolicy": policy, "runBilling": true, "collect": false });
        if policy == "SpecificDate" {
            let date = effective
                .ok_or_else(|| invalid("the policy SpecificDate needs an effective_date"))?;
            if let Some(body) = body.as_object_mut() {
                body.insert("cancellationEffectiveDate".to_owned(), json!(date));
            }
        }
        let path = format!("/v1/subscriptions/{}/cancel", segment(number));
        let answer = self.put(&path, body, budget).await?;
        let on = word(&answer, "cancelledDate");
        let after = self.subscription(number, budget).await?;
        let status = after.and_then(|found| word(&found, "status"));
        Ok(done(status.as_deref().unwrap_or("Cancelled"), on.as_deref()))
    }
}
