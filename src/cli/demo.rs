//! `livechain demo`: three synthetic providers of one chain inside the process, the proxy in front, sample traffic, and a table
//! of who was chosen and why. No network, no account. Everything in it but the providers is what `serve` runs.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use config::{Config, GivenEnvironment};
use perf::load::{self, Arrival, Plan, Target};
use perf::provider::{Chain, Fault, Handle, Latency, Options, Provider, Rule};
use tokio::sync::oneshot;

use crate::control_plane::node::{self, Running};

mod table;

/// The configuration, which is an ordinary file.
const CONFIG: &str = include_str!("demo.yaml");

/// Arguments of `demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Where the proxy listens
    #[arg(long, default_value = "127.0.0.1:8545")]
    listen: SocketAddr,
    /// Where the admin port listens (/metrics, /readyz)
    #[arg(long, default_value = "127.0.0.1:9545")]
    admin: SocketAddr,
    /// No sample traffic: send your own
    #[arg(long)]
    no_traffic: bool,
    /// Sample requests a second
    #[arg(long, default_value_t = 200.0, value_parser = positive)]
    rate: f64,
    /// End after so many seconds instead of at Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("a rate above 0, at most 100000".to_owned()),
    }
}

/// Runs the demo until Ctrl-C. Exit code 0, or 1 with the reason printed.
pub fn run(args: Args) -> ExitCode {
    if !super::doctor::fit_to_run() {
        return ExitCode::FAILURE;
    }
    match show(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// The three providers; they stop when dropped.
struct Providers {
    swift: Handle,
    flaky: Handle,
    thrifty: Handle,
}

impl Providers {
    fn start() -> std::io::Result<Self> {
        let chain = Chain::new(31337, 1_000_000, Duration::from_secs(2));
        let provider = |median_ms, seed| {
            Provider::start(Options {
                chain: chain.clone(),
                latency: Latency::Lognormal {
                    median: Duration::from_millis(median_ms),
                    sigma: 0.3,
                },
                keep_requests: 0,
                seed,
                ..Options::default()
            })
        };
        let providers = Self {
            swift: provider(6, 1)?,
            flaky: provider(9, 2)?,
            thrifty: provider(14, 3)?,
        };
        providers
            .flaky
            .inject(Rule::with_probability(0.15, Fault::unavailable()));
        providers
            .thrifty
            .inject(Rule::above(20, Fault::throttled(Some(3))));
        Ok(providers)
    }

    fn config(&self, args: &Args) -> Result<Config, String> {
        let variables = [
            ("DEMO_LISTEN", args.listen.to_string()),
            ("DEMO_ADMIN", args.admin.to_string()),
            ("DEMO_SWIFT", self.swift.url()),
            ("DEMO_FLAKY", self.flaky.url()),
            ("DEMO_THRIFTY", self.thrifty.url()),
        ];
        let environment = GivenEnvironment {
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..GivenEnvironment::default()
        };
        let catalog = crate::data_plane::catalog();
        config::parse(CONFIG, "demo.yaml", Path::new("."), &environment, &catalog)
            .map_err(|problems| super::check::report(&problems))
    }
}

fn show(args: &Args) -> Result<(), String> {
    let providers =
        Providers::start().map_err(|error| format!("a provider could not be started: {error}"))?;
    let config = providers.config(args)?;
    let (stop, stopped) = oneshot::channel();
    let (tell, told) = mpsc::channel();
    let proxy = std::thread::Builder::new()
        .name("control-plane".to_owned())
        .spawn(move || {
            let shard_main = crate::data_plane::SHARD_MAIN;
            node::run_until(config, shard_main, stopped, |running| {
                drop(tell.send(running))
            })
        })
        .map_err(|error| error.to_string())?;
    let Ok(running) = told.recv() else {
        return proxy
            .join()
            .unwrap_or_else(|_| Err("the proxy broke".to_owned()));
    };
    println!(
        "proxy  http://{}   (chain id 31337: POST / or /rpc/demo)",
        args.listen
    );
    println!("admin  http://{}/metrics  /readyz", args.admin);
    println!(
        "swift answers in 6 ms; flaky in 9 ms, but fails 15 % of calls; thrifty in 14 ms and throttles above 20 a second\n"
    );
    let over = Arc::new(AtomicBool::new(false));
    let traffic = if args.no_traffic {
        None
    } else {
        Some(send_traffic(args, &over)?)
    };
    watch(args, &running);
    over.store(true, Ordering::Relaxed);
    let _ = stop.send(());
    let ended = proxy
        .join()
        .unwrap_or_else(|_| Err("the proxy broke".to_owned()));
    if let Some(traffic) = traffic {
        let _ = traffic.join();
    }
    ended
}

/// Shows the table until the node has ended or the time is up.
fn watch(args: &Args, running: &Running) {
    let began_ns = rt::clock::read();
    let redraw = std::io::stdout().is_terminal();
    let mut drawn_lines = 0;
    loop {
        std::thread::sleep(Duration::from_secs(if redraw { 1 } else { 5 }));
        let over = args.seconds.is_some_and(|most| {
            rt::clock::read().saturating_sub(began_ns) >= most.saturating_mul(1_000_000_000)
        });
        let Some(snapshot) = running.scrape() else {
            return;
        };
        let text = table::render(&snapshot);
        let mut out = std::io::stdout().lock();
        if redraw && drawn_lines > 0 {
            // Back to the table's first line, and clear from there.
            let _ = write!(out, "\x1b[{drawn_lines}A\x1b[J");
        }
        drawn_lines = text.lines().count();
        let _ = write!(out, "{text}").and_then(|()| out.flush());
        if over {
            return;
        }
    }
}

/// Sends sample traffic from a thread of its own, in rounds, until it is over.
fn send_traffic(
    args: &Args,
    over: &Arc<AtomicBool>,
) -> Result<std::thread::JoinHandle<()>, String> {
    let target = Target::parse(&format!("http://{}/rpc/demo", args.listen))
        .map_err(|error| error.to_string())?;
    let mut plan = Plan::new(
        target,
        Arrival::Open {
            rate_per_s: args.rate,
            connections: 32,
        },
    );
    plan.mix = "tip".parse().map_err(|error| format!("{error}"))?;
    plan.warmup = Duration::ZERO;
    plan.duration = Duration::from_secs(2);
    let over = over.clone();
    std::thread::Builder::new()
        .name("traffic".to_owned())
        .spawn(move || {
            while !over.load(Ordering::Relaxed) {
                plan.seed = plan.seed.wrapping_add(1);
                if load::run(&plan, None, &mut |_| ()).is_err() {
                    // The proxy is going: the table says so.
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        })
        .map_err(|error| error.to_string())
}
