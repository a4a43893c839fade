//! `tenure dev` as a program embeds it: a purchase played through, and what is said when a
//! directory or a port is taken.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy does not know that the helpers of this file are only used by tests"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tenure_adapters::license::{Jwks, verify};
use tenure_server::dev::{self, DevOptions};
use tenure_server::exit::Exit;
use tenure_server::hook::Hooks;
use tokio::sync::oneshot;

/// Longest time until the doors are open: the database is made first.
const UP_TIMEOUT: Duration = Duration::from_secs(120);

/// A data directory, removed at the end.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("tenure-dev-{}", uuid::Uuid::now_v7().simple())))
    }

    fn options(&self) -> DevOptions {
        DevOptions {
            once: false,
            quiet: true,
            api: "127.0.0.1:0".parse().unwrap(),
            portal: None,
            sandbox: None,
            data_dir: Some(self.0.clone()),
            workflows: None,
            templates: None,
            reset: false,
            yes: false,
            token: tenure_server::serve::TokenOptions::default(),
            secrets: tenure_server::cli::SecretOptions::default(),
        }
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_played_through_and_leaves_a_license_that_verifies() {
    let home = Home::new();
    let wrapped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&wrapped);
    let hooks = Hooks {
        wrap_store: Some(Box::new(move |store| {
            seen.store(true, Ordering::SeqCst);
            store
        })),
        ..Hooks::default()
    };
    let options = DevOptions { once: true, quiet: false, ..home.options() };
    let ended = dev::run(options, hooks).await.unwrap();
    assert_eq!(ended, Exit::Ok);
    assert!(wrapped.load(Ordering::SeqCst), "the store was not wrapped");
    let keys: Jwks = serde_json::from_str(&home.text("jwks.json")).unwrap();
    let claims = verify(&home.text("license.jwt"), &keys).unwrap();
    assert_eq!(claims["lic"]["users"], serde_json::json!(25));
    assert!(!Path::new(&home.0).join("postgres/pg/postmaster.pid").exists(), "it still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_is_told_what_is_in_the_way() {
    let home = Home::new();
    let (up, is_up) = oneshot::channel();
    let hooks = Hooks { up: Some(up), ..Hooks::default() };
    let stop = hooks.stop.clone();
    let first = tokio::spawn(dev::run(home.options(), hooks));
    let addresses = tokio::time::timeout(UP_TIMEOUT, is_up).await.unwrap().unwrap();

    let same = dev::run(home.options(), Hooks::default()).await.unwrap_err().to_string();
    assert!(same.contains("another tenure") && same.contains("--data-dir"), "{same}");

    let other = Home::new();
    let taken = DevOptions { api: addresses.api, ..other.options() };
    let taken = dev::run(taken, Hooks::default()).await.unwrap_err().to_string();
    assert!(taken.contains("in use") && taken.contains("--api"), "{taken}");
    let taken = DevOptions { portal: addresses.portal, ..other.options() };
    let taken = dev::run(taken, Hooks::default()).await.unwrap_err().to_string();
    assert!(taken.contains("in use") && taken.contains("--portal"), "{taken}");
    let taken = DevOptions { sandbox: addresses.sandbox, ..other.options() };
    let taken = dev::run(taken, Hooks::default()).await.unwrap_err().to_string();
    assert!(taken.contains("in use") && taken.contains("--sandbox"), "{taken}");

    let open = DevOptions { api: "0.0.0.0:0".parse().unwrap(), ..other.options() };
    let open = dev::run(open, Hooks::default()).await.unwrap_err().to_string();
    assert!(open.contains("not loopback") && open.contains("token"), "{open}");

    stop.cancel();
    assert_eq!(first.await.unwrap().unwrap(), Exit::Ok);
}
