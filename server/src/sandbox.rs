//! The sandbox vendors of `tenure dev` and `tenure run --sandbox`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;
use tenure_adapters::sandbox::{Sandbox, SandboxOptions, Vendor};

use crate::exit::{Exit, Stop};

/// The vendors in the order of their ports: the inbox, which people open, has the one they know.
const BY_PORT: [Vendor; 4] = [Vendor::Mailgun, Vendor::Zuora, Vendor::Salesforce, Vendor::Marketo];

/// Opens the vendors with their ledgers in `directory`: the inbox at `address`, the others at the
/// ports after it; all at free ports when that port is 0.
///
/// # Errors
/// When the address is not 127.0.0.1, a port is taken, or a ledger cannot be read.
pub async fn open(address: SocketAddr, directory: &Path) -> anyhow::Result<Sandbox> {
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let message = format!("--sandbox {address}: the sandbox vendors play on 127.0.0.1 only");
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let mut ports = BTreeMap::new();
    if address.port() != 0 {
        for (vendor, offset) in BY_PORT.into_iter().zip(0_u16..) {
            let port = address.port().checked_add(offset).with_context(|| {
                format!("--sandbox {address}: four ports are needed from there on")
            })?;
            ports.insert(vendor, port);
        }
    }
    let options = SandboxOptions { dir: Some(directory.to_owned()), ports };
    Sandbox::start(options).await.map_err(|error| {
        if error.kind() == ErrorKind::AddrInUse {
            let message = format!(
                "{error}; stop what listens there, or choose another first port with \
                 --sandbox 127.0.0.1:PORT"
            );
            return Stop::new(Exit::Unavailable, message).into();
        }
        anyhow::Error::new(error).context("the sandbox vendors cannot start")
    })
}
