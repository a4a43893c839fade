//! Mail of our buckets becomes events.

use std::sync::Arc;

use crate::ground::{Ground, rung};
use crate::spine::{Arrival, Message};

/// Mails of one reading.
const BATCH_MAX: i64 = 512;
/// Readings in a row before the bell is listened to again.
const READINGS_MAX: usize = 16;
/// Mails in memory; beyond, no more are read, and starts are refused.
pub(crate) const KNOWN_MAX: usize = 8_192;

/// Reads mail when the bell rings, at least every scan.
pub(crate) async fn read(ground: Arc<Ground>) {
    loop {
        rung(&ground.bells.mail, ground.config.scan_every).await;
        for _ in 0..READINGS_MAX {
            if !batch(&ground).await {
                break;
            }
        }
    }
}

/// One reading; says whether there may be more.
async fn batch(ground: &Ground) -> bool {
    if ground.known.count() >= KNOWN_MAX {
        return false;
    }
    let Some(hold) = ground.hold() else { return false };
    let known = ground.known.begin_reading();
    let mails = match ground.store.mail(&hold.list(), &known, BATCH_MAX).await {
        Ok(mails) => mails,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "mail was not read");
            return false;
        }
    };
    let full = i64::try_from(mails.len()).is_ok_and(|count| count >= BATCH_MAX);
    let mut fresh = false;
    for mail in mails {
        if !ground.known.take(mail.id) {
            continue;
        }
        fresh = true;
        let arrival = Arrival { event: mail.event, mail: Some(mail.id), due: None };
        let message = Message::Arrived { instance: mail.instance, arrival };
        if ground.spine.send(message).await.is_err() {
            return false;
        }
    }
    full && fresh
}
