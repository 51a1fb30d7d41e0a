//! TLS configurations, made once at start-up from the files that the configuration names. It opens no connection.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use config::{Config, TrustRoots, Upstream};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// TLS towards clients, if it is configured.
///
/// # Errors
/// One sentence that names the file.
pub fn server(config: &Config) -> Result<Option<Arc<ServerConfig>>, String> {
    let Some(tls) = &config.server.tls else {
        return Ok(None);
    };
    let chain = certificates(&tls.cert)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| {
        format!(
            "{}: no private key could be read: {error}",
            tls.key.display()
        )
    })?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("{}: {error}", tls.cert.display()))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(server)))
}

/// TLS towards every upstream that has it, by chain and upstream index.
///
/// # Errors
/// One sentence that names the file.
pub fn upstreams(config: &Config) -> Result<Vec<Vec<Option<Arc<ClientConfig>>>>, String> {
    let mut shared = Shared::default();
    config
        .chains
        .iter()
        .map(|chain| {
            chain
                .upstreams
                .iter()
                .map(|upstream| shared.client(upstream))
                .collect()
        })
        .collect()
}

/// Configurations that upstreams with the same trust share.
#[derive(Default)]
struct Shared {
    webpki: Option<Arc<ClientConfig>>,
    system: Option<Arc<ClientConfig>>,
}

impl Shared {
    fn client(&mut self, upstream: &Upstream) -> Result<Option<Arc<ClientConfig>>, String> {
        if !upstream.url.tls {
            return Ok(None);
        }
        if let Some(ca) = &upstream.tls.ca {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{}: {error}", ca.display()))?;
            }
            return client(roots).map(Some);
        }
        let (slot, roots) = match upstream.tls.roots {
            TrustRoots::Webpki => (&mut self.webpki, webpki_roots as fn() -> _),
            TrustRoots::System => (&mut self.system, system_roots as fn() -> _),
        };
        if slot.is_none() {
            *slot = Some(client(roots()?)?);
        }
        Ok(slot.clone())
    }
}

fn webpki_roots() -> Result<RootCertStore, String> {
    Ok(RootCertStore::from_iter(
        webpki_roots::TLS_SERVER_ROOTS.iter().cloned(),
    ))
}

fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("the system has no trusted certificates (package ca-certificates)".to_owned());
    }
    Ok(roots)
}

fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(client))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || -> Result<Vec<_>, String> {
        let pem = fs::read(path).map_err(|error| error.to_string())?;
        CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())
    };
    match read() {
        Ok(chain) if chain.is_empty() => Err(format!("{}: no certificate in it", path.display())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
