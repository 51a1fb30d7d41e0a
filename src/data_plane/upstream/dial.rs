//! Makes one connection to an upstream: happy eyeballs over its addresses (RFC 8305), then TLS.
//! It resolves nothing (the control plane does) and decides nothing.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use rt::{Conn, Stream};
use rustls_pki_types::ServerName;

/// RFC 8305 §5: how long one address has before the next is tried beside it.
const NEXT_ADDRESS_AFTER_NS: u64 = 250_000_000;

/// How many addresses of one name are tried in one dial.
const MAX_ADDRESSES: usize = 6;

/// What is needed to reach an upstream; the addresses change while it runs.
pub struct Target {
    /// In the order to try them (RFC 8305 §4); empty until the first resolution.
    pub addresses: RefCell<Rc<[SocketAddr]>>,
    /// For `https`.
    pub tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
}

/// Why there is no connection. None of these sent a byte of a call.
#[derive(Debug)]
pub enum DialError {
    /// The name has not been resolved (yet).
    NoAddress,
    /// Every address refused or failed; the last error.
    Connect(io::Error),
    /// The TLS handshake failed.
    Handshake(io::Error),
}

/// Connects, within the deadline of the caller (dropping the future closes what was begun).
///
/// # Errors
/// See [`DialError`].
pub async fn dial(target: &Target) -> Result<Conn, DialError> {
    let addresses = target.addresses.borrow().clone();
    let stream = connect_any(&addresses).await?;
    match &target.tls {
        None => Ok(Conn::from(stream)),
        Some((config, name)) => Conn::tls_client(stream, config.clone(), name.clone())
            .await
            .map_err(DialError::Handshake),
    }
}

/// The first address that answers; later ones start 250 ms apart, or at once when one failed.
async fn connect_any(addresses: &[SocketAddr]) -> Result<Stream, DialError> {
    let mut untried = addresses.iter().take(MAX_ADDRESSES).copied();
    let first = untried.next().ok_or(DialError::NoAddress)?;
    if addresses.len() == 1 {
        return Stream::connect(first).await.map_err(DialError::Connect);
    }
    type Attempt = Pin<Box<dyn Future<Output = io::Result<Stream>>>>;
    let mut racing: FuturesUnordered<Attempt> = FuturesUnordered::new();
    racing.push(Box::pin(Stream::connect(first)));
    let mut exhausted = false;
    loop {
        let next_at = if exhausted {
            u64::MAX
        } else {
            rt::now() + NEXT_ADDRESS_AFTER_NS
        };
        let failed = match rt::timeout_at(next_at, racing.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => Some(error),
            Ok(None) | Err(_) => None,
        };
        match untried.next() {
            Some(address) => racing.push(Box::pin(Stream::connect(address))),
            None => {
                exhausted = true;
                if let (Some(error), true) = (failed, racing.is_empty()) {
                    return Err(DialError::Connect(error));
                }
            }
        }
    }
}
