//! Control of a played vendor: its ledger and its fault plan.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::desk::Desk;
use super::{Fault, LedgerEntry};

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/sandbox/ledger", get(ledger))
        .route("/sandbox/faults", get(faults).put(replace).delete(clear))
        .with_state(desk)
}

async fn ledger(State(desk): State<Arc<Desk>>) -> Json<Vec<LedgerEntry>> {
    Json(desk.ledger())
}

async fn faults(State(desk): State<Arc<Desk>>) -> Json<Vec<Fault>> {
    Json(desk.faults())
}

async fn replace(State(desk): State<Arc<Desk>>, Json(plan): Json<Vec<Fault>>) -> Json<Vec<Fault>> {
    desk.set_faults(plan);
    Json(desk.faults())
}

async fn clear(State(desk): State<Arc<Desk>>) -> Json<Vec<Fault>> {
    desk.set_faults(Vec::new());
    Json(Vec::new())
}
