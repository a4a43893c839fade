//! The sandbox vendors of `tenure dev` and `tenure run --sandbox`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use tenure_adapters::sandbox::{Sandbox, SandboxOptions, Vendor};

use crate::exit::{Exit, Stop};

/// Opens the vendors with their ledgers in `directory`: the inbox, which people open, at `address`,
/// the others at free ports.
///
/// # Errors
/// When the address is not 127.0.0.1, its port is taken, or a ledger cannot be read.
pub async fn open(address: SocketAddr, directory: &Path) -> anyhow::Result<Sandbox> {
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let message = format!("--sandbox {address}: the sandbox vendors play on 127.0.0.1 only");
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let ports = BTreeMap::from([(Vendor::Mailgun, address.port())]);
    let options = SandboxOptions { dir: Some(directory.to_owned()), ports };
    Sandbox::start(options).await.map_err(|error| {
        if error.kind() == ErrorKind::AddrInUse {
            let message = format!(
                "{address} is in use (sandbox inbox); stop what listens there, or choose another \
                 address with --sandbox 127.0.0.1:PORT"
            );
            return Stop::new(Exit::Unavailable, message).into();
        }
        anyhow::Error::new(error).context("the sandbox vendors cannot start")
    })
}

/// Where the inbox is.
#[must_use]
pub fn inbox_address(vendors: &Sandbox) -> Option<SocketAddr> {
    vendors.base_url(Vendor::Mailgun).strip_prefix("http://")?.parse().ok()
}

/// The vendors by name, with their addresses.
#[must_use]
pub fn addresses(vendors: &Sandbox) -> Vec<(&'static str, String)> {
    Vendor::ALL.iter().map(|vendor| (vendor.name(), vendors.base_url(*vendor))).collect()
}
