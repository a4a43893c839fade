//! Local lookups without a vendor: the product catalog and country codes.

use std::sync::LazyLock;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tenure_adapter::{Adapter, Manifest, Outcome, Request};

use crate::country;
use crate::input::{decode, invalid, unknown_function};
use crate::manifest::{gives, local, object, text};

/// Longest text that is tried as a country or SKU.
const NAME_MAX: u32 = 100;

/// A product that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Stock-keeping unit, the product's identity here.
    pub sku: String,
    /// Name for people.
    pub name: String,
    /// `self-managed` (a license) or `saas` (a namespace).
    pub kind: String,
    /// Plan code, as licenses carry it.
    pub plan: String,
    /// Minor units per seat and year, without tax.
    pub unit_price: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether terms must be accepted before delivery.
    pub eula_required: bool,
    /// `Yes` (activation code), `Offline` or `No` (file), as the billing system flags it.
    pub cloud_licensing: String,
    /// Whether it can be bought now.
    pub on_sale: bool,
    /// Rate plan at the billing system.
    pub billing_rate_plan: String,
    /// Per-seat charge of that rate plan.
    pub billing_charge: String,
}

static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/products.json"))
        .expect("the embedded product table is checked by a test")
});

/// All products, on sale or not.
#[must_use]
pub fn products() -> &'static [Product] {
    &PRODUCTS
}

/// The product of a SKU, on sale or not.
#[must_use]
pub fn product(sku: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.sku == sku)
}

/// `catalog.product` and `country.normalize`.
#[derive(Debug)]
pub(crate) struct Local;

#[derive(Deserialize)]
struct BySku {
    sku: String,
}

#[derive(Deserialize)]
struct ByName {
    country: String,
}

#[async_trait]
impl Adapter for Local {
    fn manifests(&self) -> Vec<Manifest> {
        vec![
            local(
                "catalog.product",
                "Reads a product that is on sale.",
                (
                    object(&["sku"], &json!({ "sku": text(NAME_MAX) })),
                    gives(&json!({
                        "sku": { "type": "string" },
                        "name": { "type": "string" },
                        "kind": { "enum": ["self-managed", "saas"] },
                        "plan": { "type": "string" },
                        "unit_price": { "type": "integer" },
                        "currency": { "type": "string" },
                        "eula_required": { "type": "boolean" },
                        "cloud_licensing": { "enum": ["Yes", "Offline", "No"] },
                        "billing_rate_plan": { "type": "string" },
                    })),
                ),
            ),
            local(
                "country.normalize",
                "Turns a country's code or English name into ISO 3166-1 alpha-2.",
                (
                    object(&["country"], &json!({ "country": text(NAME_MAX) })),
                    gives(&json!({
                        "code": { "type": "string" },
                        "name": { "type": "string" },
                    })),
                ),
            ),
        ]
    }

    async fn perform(&self, request: &Request) -> Outcome {
        let result = match request.function.as_str() {
            "catalog.product" => decode(request).and_then(|BySku { sku }| on_sale(&sku)),
            "country.normalize" => decode(request).and_then(|ByName { country }| code(&country)),
            _ => Err(unknown_function(request)),
        };
        result.map_or_else(|outcome| outcome, |output| Outcome::Done { output })
    }
}

fn on_sale(sku: &str) -> Result<Value, Outcome> {
    let product = product(sku).ok_or_else(|| {
        let known: Vec<_> =
            products().iter().filter(|p| p.on_sale).map(|p| p.sku.as_str()).collect();
        invalid(format!("there is no product `{sku}`; on sale are {}", known.join(", ")))
    })?;
    if !product.on_sale {
        return Err(invalid(format!("the product `{sku}` is not on sale")));
    }
    Ok(json!(product))
}

fn code(text: &str) -> Result<Value, Outcome> {
    let country = country::normalize(text).ok_or_else(|| {
        invalid(format!("`{text}` is no country: use an ISO 3166-1 code or an English name"))
    })?;
    Ok(json!({ "code": country.code, "name": country.name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_products_on_sale_are_given() {
        for product in products() {
            assert_eq!(on_sale(&product.sku).is_ok(), product.on_sale, "{}", product.sku);
        }
        assert!(matches!(on_sale("none"), Err(Outcome::Rejected { .. })));
    }
}
