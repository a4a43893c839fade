//! After waits were opened: the other half of "each side commits first, then looks for the other".

use std::sync::Arc;

use tenure_machine::{InstanceId, WaitId};
use tokio::sync::mpsc;

use crate::ground::Ground;

/// Waits of one statement.
const BATCH_MAX: usize = 256;
/// Opened waits not yet looked at; beyond, the sweep finds them.
pub(crate) const QUEUE_MAX: usize = 4_096;

/// Looks for kept events that fit waits just opened. What fails here is found by the sweep.
pub(crate) async fn match_opened(
    ground: Arc<Ground>,
    mut opened: mpsc::Receiver<(InstanceId, WaitId)>,
) {
    let mut waits = Vec::with_capacity(BATCH_MAX);
    while opened.recv_many(&mut waits, BATCH_MAX).await > 0 {
        match ground.store.match_waits(&waits, ground.clock.now()).await {
            Ok(0) => {}
            Ok(_) => ground.bells.mail.notify_one(),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    waits = waits.len(),
                    "kept events were not looked for; the sweep does it"
                );
                ground.bells.sweep.notify_one();
            }
        }
        waits.clear();
    }
}
