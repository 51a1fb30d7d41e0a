//! What a trial is played before: its providers, counted together, and the certificate that both hops show where there is
//! TLS. Made once a trial; the certificate is thrown away with it.

use crate::lane::{Providers, Scenery};
use crate::machine::TemporaryFolder;
use perf::ends::Ends;
use perf::load::{self, LoadError, Plan, Report, Roots, client_config};
use perf::provider::{Chain, Counters, Fault, Handle, Latency, Options, Provider, Rule};
use rcgen::generate_simple_self_signed;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ServerConfig};
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Providers and certificate of a trial.
#[derive(Debug)]
pub struct Stage {
    providers: Vec<Handle>,
    /// In their place where nothing is scripted and nothing is encrypted.
    ends: Option<Ends>,
    certificates: Certificates,
    trust: Arc<ClientConfig>,
    has_own_balances: bool,
}

/// Where the certificate and its key are. It is its own authority.
#[derive(Debug)]
pub struct Certificates {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Stage {
    /// Starts the providers.
    pub fn set(scenery: &Scenery, folder: &TemporaryFolder) -> Result<Self, Box<dyn Error>> {
        let own = folder.fresh("stage")?;
        let made = generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let certificates = Certificates {
            certificate: own.join("certificate.pem"),
            key: own.join("key.pem"),
        };
        fs::write(&certificates.certificate, made.cert.pem())?;
        fs::write(&certificates.key, made.signing_key.serialize_pem())?;
        let tls = scenery.tls.then(|| {
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
            let builder = ServerConfig::builder().with_no_client_auth();
            let config = builder.with_single_cert(vec![made.cert.der().clone()], key);
            Ok::<_, Box<dyn Error>>(Arc::new(config?))
        });
        let tls = tls.transpose()?;
        let chain = Chain::default();
        let count = match scenery.providers {
            Providers::One => 1,
            Providers::Three => 3,
        };
        let is_plain = scenery.latency.is_none()
            && scenery.stalls.is_none()
            && scenery.result_bytes.is_none()
            && !scenery.tls;
        let ends = is_plain.then(|| Ends::start(&chain, count)).transpose()?;
        let mut providers = Vec::with_capacity(count);
        for index in 0..if is_plain { 0 } else { count } {
            let options = Options {
                chain: chain.clone(),
                tls: tls.clone(),
                keep_requests: 0,
                seed: u64::try_from(index)? + 1,
                latency: latency(scenery, index == 0),
                ..Options::default()
            };
            let provider = Provider::start(options)?;
            if let Some(bytes) = scenery.result_bytes {
                provider.inject(
                    Rule::always(Fault::LargeResult { bytes }).for_method("eth_getBalance"),
                );
            }
            providers.push(provider);
        }
        let trust = client_config(Roots::File(&certificates.certificate))?;
        Ok(Self {
            providers,
            ends,
            certificates,
            trust,
            has_own_balances: scenery.result_bytes.is_none(),
        })
    }

    /// Where the providers listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let ends = self.ends.iter().flat_map(Ends::addresses).copied();
        ends.chain(self.providers.iter().map(Handle::address))
            .collect()
    }

    /// Whether a balance follows from its address, so that a foreign answer is found out.
    pub fn has_own_balances(&self) -> bool {
        self.has_own_balances
    }

    /// The certificate of both hops.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Settings of a client that trusts it.
    pub fn trust(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.trust)
    }

    /// Makes a run: in the providers' own thread where they leave room for it.
    pub fn run(&self, plan: &Plan) -> Result<Report, LoadError> {
        match &self.ends {
            Some(ends) => ends.run(plan),
            None => load::run(plan, None, &mut |_| {}),
        }
    }

    /// Calls of these methods that reached the providers so far.
    pub fn calls(&self, methods: &[&str]) -> u64 {
        let ends = self.ends.iter().flat_map(Ends::counters);
        let all = ends.chain(self.providers.iter().map(Handle::counters));
        let of = |counters: Counters| -> u64 {
            methods.iter().map(|method| counters.method(method)).sum()
        };
        all.map(of).sum()
    }
}

fn latency(scenery: &Scenery, may_stall: bool) -> Latency {
    let base = scenery.latency.map_or(Latency::None, Latency::Fixed);
    match scenery.stalls.filter(|_| may_stall) {
        None => base,
        Some((share, stall)) => Latency::Stalls {
            base: Box::new(base),
            share,
            stall: stall + scenery.latency.unwrap_or(Duration::ZERO),
        },
    }
}
