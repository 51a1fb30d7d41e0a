//! Starts the proxies under test, each on its core with its own configuration and ports, and ends them. Ends only what
//! it started, by process id.

use perf::cpu::Tree;
use rustix::process::{Pid, Signal, kill_process};
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How a proxy is started.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name: String,
    /// What it says its version is.
    pub version: Option<String>,
    pub template: Option<String>,
    pub command: Vec<String>,
}

impl Recipe {
    /// A peer that this harness knows.
    pub fn peer(name: &str) -> Result<Self, Box<dyn Error>> {
        let (template, command): (&str, &[&str]) = match name {
            "nginx" => (
                include_str!("../../peers/nginx.conf"),
                &["nginx", "-p", "{folder}", "-c", "{config}"],
            ),
            "haproxy" => (
                include_str!("../../peers/haproxy.cfg"),
                &["haproxy", "-db", "-f", "{config}"],
            ),
            _ => return Err(format!("unknown peer {name:?}: nginx and haproxy are known").into()),
        };
        let asked = Command::new(name).arg("-v").output();
        let asked =
            asked.map_err(|error| format!("{name} is needed and does not start: {error}"))?;
        // nginx answers on standard error, haproxy on standard output.
        let said = if asked.stdout.is_empty() {
            asked.stderr
        } else {
            asked.stdout
        };
        let version = String::from_utf8_lossy(&said)
            .lines()
            .next()
            .map(str::to_owned);
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Ok(Self {
            name: name.to_owned(),
            version,
            template: Some(template.to_owned()),
            command,
        })
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    pub name: String,
    pub listen: SocketAddr,
    child: Child,
}

/// How long a proxy may take to answer its first request, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

impl Proxy {
    /// Starts a proxy on one processor and waits until a request passes through it.
    pub fn start(
        recipe: &Recipe,
        folder: &Path,
        upstream: SocketAddr,
        cpu: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let own = folder.join(&recipe.name);
        fs::create_dir_all(&own)?;
        let config = own.join("config");
        let (listen, admin) = (free_address()?, free_address()?);
        let fill = |text: &str| {
            let user = if is_root() { "user root;" } else { "" };
            text.replace("{listen}", &listen.to_string())
                .replace("{admin}", &admin.to_string())
                .replace("{upstream}", &upstream.to_string())
                .replace("{folder}", &own.to_string_lossy())
                .replace("{config}", &config.to_string_lossy())
                .replace("{user}", user)
        };
        fs::write(
            &config,
            fill(recipe.template.as_deref().unwrap_or_default()),
        )?;
        let log = fs::File::create(own.join("output.log"))?;
        // Should this process be killed, the kernel ends the proxy.
        let child = Command::new("taskset")
            .args(["-c", &cpu.to_string(), "setpriv", "--pdeathsig", "TERM"])
            .args(recipe.command.iter().map(|word| fill(word)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut proxy = Self {
            name: recipe.name.clone(),
            listen,
            child,
        };
        let start = Instant::now();
        while !answers(listen) {
            let ended = proxy.child.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let said = fs::read_to_string(own.join("output.log")).unwrap_or_default();
                return Err(format!(
                    "{} does not answer on {listen}. It said:\n{said}",
                    recipe.name
                )
                .into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(proxy)
    }

    /// Where it listens, as an URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.listen)
    }

    /// What it and its children have spent so far.
    pub fn spent(&self) -> std::io::Result<Tree> {
        Tree::read(self.child.id())
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

/// Whether a call passes through the proxy.
fn answers(listen: SocketAddr) -> bool {
    const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(listen)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {listen}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            BODY.len()
        );
        stream.write_all((head + BODY).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.contains("\"0x1\""))
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
