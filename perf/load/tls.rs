//! TLS settings for a load: whom to trust. Never switches verification off.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Whose certificates are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots<'a> {
    /// Mozilla's list.
    Public,
    /// Those in this PEM file alone.
    File(&'a Path),
}

/// TLS 1.2 and 1.3, ALPN `http/1.1`.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn client_config(roots: Roots<'_>) -> io::Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::File(path) => {
            let failed = |error| io::Error::other(format!("{}: {error}", path.display()));
            for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
                store
                    .add(certificate.map_err(failed)?)
                    .map_err(io::Error::other)?;
            }
            if store.is_empty() {
                return Err(io::Error::other(format!(
                    "{}: no certificate in it",
                    path.display()
                )));
            }
        }
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
