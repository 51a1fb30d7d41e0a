//! Starts the proxies under test, each on its cores with its own configuration and ports, and ends them. Ends only what
//! it started, by process id.

use crate::lane::Side;
use crate::machine::TemporaryFolder;
use crate::peer::{Peer, Recipe};
use crate::stage::Stage;
use perf::cpu::Tree;
use perf::load::{self, Arrival, Mix, Plan, Target};
use rustix::process::{Pid, Signal, kill_process};
use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    target: Target,
    child: Child,
}

/// How long a proxy may take to answer its first request, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where proxies run.
#[derive(Clone, Debug)]
pub struct Ground<'a> {
    pub folder: &'a TemporaryFolder,
    /// Processors, the first being a single-core side's.
    pub cpus: [usize; 2],
}

impl Proxy {
    /// Starts a proxy for a side of a trial and waits until a request passes through it.
    pub fn start(
        peer: &Peer,
        side: &Side,
        stage: &Stage,
        ground: &Ground<'_>,
    ) -> Result<Self, Box<dyn Error>> {
        let own = ground.folder.fresh(&peer.name)?;
        let recipe = peer.recipe(side.variant)?;
        let blanks = Blanks::new(&own, side, stage, ground)?;
        fs::write(
            &blanks.config,
            blanks.fill(recipe.template.as_deref().unwrap_or_default()),
        )?;
        let child = blanks.spawn(&recipe, &own)?;
        let scheme = if side.is_tls() { "https" } else { "http" };
        let mut proxy = Self {
            target: Target::parse(&format!("{scheme}://{}/", blanks.listen))?,
            child,
        };
        let start = Instant::now();
        while !proxy.answers(stage)? {
            let ended = proxy.child.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let said = fs::read_to_string(own.join("output.log")).unwrap_or_default();
                let name = &peer.name;
                let variant = side.variant;
                return Err(format!("{name} ({variant}) does not answer. It said:\n{said}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(proxy)
    }

    /// Where it listens.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What it and its children have spent so far.
    pub fn spent(&self) -> std::io::Result<Tree> {
        Tree::read(self.child.id())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether a call passes through it.
    fn answers(&self, stage: &Stage) -> Result<bool, Box<dyn Error>> {
        let plan = Plan {
            mix: "chain-id".parse::<Mix>()?,
            warmup: Duration::ZERO,
            max_requests: Some(1),
            duration: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            tls: Some(stage.trust()),
            ..Plan::new(self.target.clone(), Arrival::Closed { connections: 1 })
        };
        Ok(load::run(&plan, None, &mut |_| {})?.ok == 1)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself, which is what is wanted.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What is filled in where a command or a configuration has a name in braces.
struct Blanks {
    listen: SocketAddr,
    config: PathBuf,
    cpus: String,
    values: Vec<(&'static str, String)>,
}

impl Blanks {
    fn new(
        own: &Path,
        side: &Side,
        stage: &Stage,
        ground: &Ground<'_>,
    ) -> Result<Self, Box<dyn Error>> {
        let (listen, admin) = (free_address()?, free_address()?);
        let config = own.join("config");
        let cpus: Vec<String> = ground
            .cpus
            .iter()
            .take(side.cores)
            .map(usize::to_string)
            .collect();
        let cpus = cpus.join(",");
        let user = if is_root() { "user root;" } else { "" };
        let files = stage.certificates();
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut values = vec![
            ("{listen}", listen.to_string()),
            ("{admin}", admin.to_string()),
            ("{folder}", path(own)),
            ("{config}", path(&config)),
            ("{user}", user.to_owned()),
            ("{cores}", side.cores.to_string()),
            ("{cpu}", ground.cpus[0].to_string()),
            ("{certificate}", path(&files.certificate)),
            ("{key}", path(&files.key)),
            ("{ca}", path(&files.certificate)),
        ];
        let names = ["{upstream-1}", "{upstream-2}", "{upstream-3}"];
        let addresses = stage.addresses();
        values.extend(
            names
                .into_iter()
                .zip(addresses.iter().map(SocketAddr::to_string)),
        );
        values.extend(
            addresses
                .first()
                .map(|first| ("{upstream}", first.to_string())),
        );
        Ok(Self {
            listen,
            config,
            cpus,
            values,
        })
    }

    fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        self.values.iter().fold(text.to_owned(), fill)
    }

    fn spawn(&self, recipe: &Recipe, own: &Path) -> std::io::Result<Child> {
        let log = fs::File::create(own.join("output.log"))?;
        // Should this process be killed, the kernel ends the proxy.
        Command::new("taskset")
            .args(["-c", &self.cpus, "setpriv", "--pdeathsig", "TERM"])
            .args(recipe.command.iter().map(|word| self.fill(word)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
