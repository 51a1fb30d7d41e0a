//! The process's settings: addresses that do not collide, limits that fit together, TLS files that
//! hold what they should. Opens no socket: whether an address is free is found out at start.

use std::net::SocketAddr;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{narrow, region, set};
use crate::file;
use crate::model::{AccessLog, Cors, Limits, Log, Overload, Server, ServerTls};
use crate::read::{At, Origin, Reader};
use crate::scalar::format_size;

/// Most listening addresses.
const MAX_LISTEN: usize = 16;

pub(crate) fn server(file: file::Server, regions: &[String], reader: &mut Reader<'_>) -> Server {
    let mut server = Server::default();
    let admin_origin = file.admin.as_ref().map(|at| at.origin.clone());
    set(&mut server.admin, file.admin, |address| address.0);
    if let Some(listen) = file.listen {
        server.listen = listeners(&listen, server.admin, admin_origin.as_ref(), reader);
    } else if let (Some(origin), Some(admin)) = (&admin_origin, server.admin)
        && server.listen.iter().any(|address| collide(*address, admin))
    {
        reader.problem_at(
            origin,
            format!("{admin} is also the data plane's address"),
            "choose another port",
        );
    }
    set(&mut server.cores, file.cores, |cores| cores);
    set(&mut server.busy_poll, file.busy_poll, |busy| busy);
    set(&mut server.drain_timeout, file.drain_timeout, |span| span.0);
    server.tls = file.tls.and_then(|at| tls(at.value, reader));
    server.limits = limits(file.limits.map(|at| at.value).unwrap_or_default(), reader);
    server.overload = overload(file.overload.map(|at| at.value).unwrap_or_default());
    let client_region = file.client_region.map(|at| at.value).unwrap_or_default();
    server.client_region = region::client_region(client_region, regions, reader);
    let session = file.session.and_then(|at| at.value.header);
    set(&mut server.session.header, session, |name| Some(name.0));
    set(&mut server.explain, file.explain, |explain| explain);
    server.cors = cors(file.cors.map(|at| at.value).unwrap_or_default(), reader);
    let log = file.access_log.map(|at| at.value).unwrap_or_default();
    server.access_log = AccessLog::default();
    set(&mut server.access_log.path, log.path, |target| target.0);
    set(&mut server.access_log.sample, log.sample, |share| share.0);
    let log = file.log.map(|at| at.value).unwrap_or_default();
    server.log = Log::default();
    set(&mut server.log.level, log.level, |level| level);
    set(&mut server.log.format, log.format, |format| format);
    server
}

fn listeners(
    listen: &At<Vec<At<crate::kind::Address>>>,
    admin: Option<SocketAddr>,
    admin_origin: Option<&Origin>,
    reader: &mut Reader<'_>,
) -> Vec<SocketAddr> {
    if listen.value.is_empty() && !reader.is_troubled(&listen.origin.path) {
        reader.problem_at(
            &listen.origin,
            "there is no address to listen at",
            "write one, as in `[\"127.0.0.1:8545\"]`",
        );
    }
    if listen.value.len() > MAX_LISTEN {
        reader.problem_at(
            &listen.origin,
            format!("more than {MAX_LISTEN} addresses"),
            "listen at fewer",
        );
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for at in &listen.value {
        let address = at.value.0;
        if addresses.iter().any(|known| collide(*known, address)) {
            let message = format!("{address} is already listened at");
            reader.problem_at(
                &at.origin,
                message,
                "name each address once; an unspecified one covers all of its port",
            );
        }
        if let Some(admin) = admin
            && collide(admin, address)
            && !admin_origin.is_some_and(|origin| reader.is_troubled(&origin.path))
        {
            let origin = admin_origin.unwrap_or(&at.origin);
            reader.problem_at(
                origin,
                format!("{address} is both the data plane's and the control plane's address"),
                "choose another port for one of them",
            );
        }
        addresses.push(address);
    }
    addresses
}

/// Whether the two cannot both be bound. Port 0 is another port each time.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip()
        || (a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified()));
    a.port() != 0 && a.port() == b.port() && same_host
}

fn tls(file: file::ServerTls, reader: &mut Reader<'_>) -> Option<ServerTls> {
    let cert = file.cert.and_then(|at| {
        certificates(&at, reader)?;
        Some(at.value.0)
    });
    let key = file.key.and_then(|at| {
        let content = reader.file(&at.origin, &at.value.0)?;
        if PrivateKeyDer::from_pem_slice(&content).is_err() {
            let remedy = "give an unencrypted PKCS #8, PKCS #1 or SEC 1 key (`-----BEGIN … PRIVATE KEY-----`)";
            reader.problem_at(&at.origin, "the file holds no private key in PEM", remedy);
            return None;
        }
        Some(at.value.0)
    });
    Some(ServerTls {
        cert: cert?,
        key: key?,
    })
}

/// Tells unless the file holds PEM certificates and nothing broken.
pub(crate) fn certificates(at: &At<crate::kind::FilePath>, reader: &mut Reader<'_>) -> Option<()> {
    let content = reader.file(&at.origin, &at.value.0)?;
    let found: Result<Vec<CertificateDer<'_>>, _> =
        CertificateDer::pem_slice_iter(&content).collect();
    if found.is_ok_and(|certificates| !certificates.is_empty()) {
        return Some(());
    }
    let remedy = "give a file with `-----BEGIN CERTIFICATE-----` blocks";
    reader.problem_at(&at.origin, "the file holds no certificate in PEM", remedy);
    None
}

fn limits(file: file::Limits, reader: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    let wide = narrow(usize::MAX);
    let hold_origin = file.hold_bytes.as_ref().map(|at| at.origin.clone());
    let response_origin = file.max_response_bytes.as_ref().map(|at| at.origin.clone());
    set(&mut limits.max_body_bytes, file.max_body_bytes, |size| {
        wide(size.0)
    });
    set(
        &mut limits.max_response_bytes,
        file.max_response_bytes,
        |size| wide(size.0),
    );
    set(&mut limits.hold_bytes, file.hold_bytes, |size| wide(size.0));
    set(
        &mut limits.max_header_bytes,
        file.max_header_bytes,
        |size| wide(size.0),
    );
    set(&mut limits.max_batch_calls, file.max_batch_calls, |n| {
        wide(n.0)
    });
    set(&mut limits.max_connections, file.max_connections, |n| {
        wide(n.0)
    });
    set(&mut limits.header_timeout, file.header_timeout, |span| {
        span.0
    });
    set(&mut limits.body_timeout, file.body_timeout, |span| span.0);
    set(&mut limits.idle_timeout, file.idle_timeout, |span| span.0);
    set(&mut limits.request_timeout, file.request_timeout, |span| {
        span.0
    });
    if limits.hold_bytes > limits.max_response_bytes
        && let Some(origin) = hold_origin.or(response_origin)
    {
        let message = format!(
            "hold_bytes ({}) is more than max_response_bytes ({})",
            format_size(limits.hold_bytes as u64),
            format_size(limits.max_response_bytes as u64)
        );
        reader.problem_at(
            &origin,
            message,
            "lower hold_bytes: no answer as long as that is ever held",
        );
    }
    limits
}

fn overload(file: file::Overload) -> Overload {
    let mut overload = Overload::default();
    set(&mut overload.max_live_calls, file.max_live_calls, |n| {
        narrow(u32::MAX)(n.0)
    });
    set(&mut overload.max_wait, file.max_wait, |span| span.0);
    overload
}

fn cors(file: file::Cors, reader: &mut Reader<'_>) -> Cors {
    let Some(origins) = file.origins else {
        return Cors::default();
    };
    let any = origins.value.iter().find(|at| at.value.0 == "*");
    if let Some(any) = any
        && origins.value.len() > 1
    {
        reader.problem_at(
            &any.origin,
            "`*` stands beside other origins",
            "keep `*` alone, or the others without it",
        );
    }
    Cors {
        origins: origins.value.into_iter().map(|at| at.value.0).collect(),
    }
}
