//! Accounts.

use serde::Deserialize;
use serde_json::{Value, json};
use tenure_adapter::{Lookup, Outcome, Request};

use super::{Zuora, unanswered, word};
use crate::country;
use crate::http::{Budget, segment};
use crate::input::{decode, invalid};

/// The profile new accounts get unless the caller asks for silence (rule R2).
pub(super) const DEFAULT_PROFILE: &str = "Default Profile";
/// The profile that sends nothing to the customer.
pub(super) const SILENT_PROFILE: &str = "Silent Profile";
/// Accounts are billed on the first of the month.
const BILL_CYCLE_DAY: u8 = 1;

#[derive(Deserialize)]
struct Create {
    account_number: String,
    name: String,
    currency: String,
    country: String,
    bill_to: Contact,
    sold_to: Contact,
    communication_profile: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    first_name: String,
    last_name: String,
    email: String,
}

#[derive(Deserialize)]
struct ByNumber {
    account_number: String,
}

impl Contact {
    fn body(&self, country: &str) -> Value {
        json!({
            "firstName": self.first_name,
            "lastName": self.last_name,
            "workEmail": self.email,
            "country": country,
        })
    }
}

impl Zuora {
    pub(super) async fn create_account(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let input: Create = decode(request)?;
        if !country::is_alpha2(&input.country) {
            return Err(invalid(format!("`{}` is no ISO 3166-1 alpha-2 code", input.country)));
        }
        let profile = match input.communication_profile.as_deref() {
            Some("Silent" | SILENT_PROFILE) => SILENT_PROFILE,
            Some(_) | None => DEFAULT_PROFILE,
        };
        let body = json!({
            "accountNumber": input.account_number,
            "name": input.name,
            "currency": input.currency,
            "billCycleDay": BILL_CYCLE_DAY,
            "autoPay": false,
            "communicationProfileName": profile,
            "billToContact": input.bill_to.body(&input.country),
            "soldToContact": input.sold_to.body(&input.country),
        });
        let answer = self.post("/v1/accounts", request.key, body, budget).await?;
        let id = word(&answer, "accountId").ok_or_else(|| Outcome::Unknown {
            detail: "Zuora made an account but did not name it".to_owned(),
        })?;
        Ok(json!({ "account_id": id, "account_number": input.account_number }))
    }

    pub(super) async fn get_account(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Value, Outcome> {
        let ByNumber { account_number } = decode(request)?;
        let account = self.account(&account_number, budget).await?;
        account.ok_or_else(|| invalid(format!("Zuora has no account {account_number}")))
    }

    /// An account in our words.
    pub(super) async fn account(
        &self,
        number: &str,
        budget: &Budget,
    ) -> Result<Option<Value>, Outcome> {
        let path = format!("/v1/accounts/{}", segment(number));
        let Some(answer) = self.find(&path, budget).await? else { return Ok(None) };
        let empty = Value::Null;
        let basic = answer.get("basicInfo").unwrap_or(&empty);
        let billing = answer.get("billingAndPayment").unwrap_or(&empty);
        Ok(Some(json!({
            "account_id": word(basic, "id"),
            "account_number": word(basic, "accountNumber"),
            "name": word(basic, "name"),
            "status": word(basic, "status"),
            "currency": word(billing, "currency"),
            "communication_profile": word(basic, "communicationProfileName"),
        })))
    }

    pub(super) async fn look_up_account(
        &self,
        request: &Request,
        budget: &Budget,
    ) -> Result<Lookup, Outcome> {
        let input: Create = decode(request)?;
        let number = input.account_number;
        let account = match self.account(&number, budget).await {
            Ok(Some(account)) => account,
            Ok(None) => return Ok(Lookup::Absent),
            Err(outcome) => return Ok(unanswered(&outcome)),
        };
        if word(&account, "name").as_deref() != Some(input.name.as_str()) {
            return Ok(Lookup::Unknown {
                detail: format!("Zuora's account {number} belongs to another name: {account}"),
            });
        }
        let output = json!({ "account_id": account.get("account_id"), "account_number": number });
        Ok(Lookup::Happened { outcome: Outcome::Done { output } })
    }
}
