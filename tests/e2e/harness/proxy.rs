//! The real `livechain` as a process: its configuration, its ports, its output, its end. Never links the product's
//! own code, so that what is tested is what is shipped.

use super::{Client, Response};
use std::fmt::Write as _;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a start waits for upstreams that may never say of which chain they are.
const ASKED: Duration = Duration::from_secs(3);

/// Calls `probe` until it gives something, and panics with `what` when it never does.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that nobody else is given: below the range that the kernel takes for outgoing connections, apart for each
/// test process. Two listeners with SO_REUSEPORT would share a port without a word, hence the care.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = std::process::id().wrapping_mul(61) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(15_000 + offset % 17_000).expect("in range");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A configuration in the making: one chain `ethereum` (id 1) of the given upstreams, in order of priority, on one core.
pub struct Setup {
    server: String,
    limits: Vec<String>,
    chain: String,
    upstreams: String,
    after: String,
    count: usize,
    environment: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            server: "  cores: 1\n  drain_timeout: 10s\n".to_owned(),
            limits: Vec::new(),
            chain: "    chain_id: 1\n    strategy: priority\n".to_owned(),
            upstreams: String::new(),
            after: String::new(),
            count: 0,
            environment: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl Setup {
    /// A line of the `server` section.
    pub fn server(mut self, line: &str) -> Self {
        let key = line.split(':').next().unwrap_or_default();
        self.server = without(&self.server, key);
        let _ = writeln!(self.server, "  {line}");
        self
    }

    /// An entry of `server.limits`.
    pub fn limit(mut self, entry: &str) -> Self {
        self.limits.push(entry.to_owned());
        self
    }

    /// A line of the chain; takes the place of an earlier one with the same key.
    pub fn chain(mut self, line: &str) -> Self {
        let key = line.split(':').next().unwrap_or_default();
        self.chain = without(&self.chain, key);
        let _ = writeln!(self.chain, "    {line}");
        self
    }

    /// Lines after the chain: further chains.
    pub fn after(mut self, lines: &str) -> Self {
        self.after.push_str(lines);
        self
    }

    /// Every call goes to an upstream, although it was answered before: for tests that count them.
    pub fn forwarding_all(self) -> Self {
        self.after("cache: { enabled: false }\ncoalesce: { enabled: false }\n")
    }

    /// The next upstream, with further settings (`timeout: 1s, pool: { … }`) where given.
    pub fn upstream(mut self, name: &str, url: &str, settings: &str) -> Self {
        self.count += 1;
        let settings = if settings.is_empty() {
            String::new()
        } else {
            format!(", {settings}")
        };
        let _ = writeln!(
            self.upstreams,
            "      - {{ name: {name}, http: \"{url}\", priority: {}{settings} }}",
            self.count
        );
        self
    }

    /// A variable of the process's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file beside the configuration.
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    fn text(&self, rpc: u16, admin: u16) -> String {
        let limits = match self.limits.as_slice() {
            [] => String::new(),
            entries => format!("  limits: {{ {} }}\n", entries.join(", ")),
        };
        format!(
            "version: 1\nserver:\n  listen: [\"127.0.0.1:{rpc}\"]\n  admin: \"127.0.0.1:{admin}\"\n{}{limits}chains:\n  ethereum:\n{}    upstreams:\n{}{}",
            self.server, self.chain, self.upstreams, self.after
        )
    }

    /// Starts the proxy and waits until it says that it is ready, and until every upstream has been asked for its chain: one is enough to
    /// serve, and a test that counts who was asked what wants all of them in the game. One that never answers is waited for in vain, and not for long.
    pub fn start(self) -> Proxy {
        let mut proxy = self.spawn();
        proxy.wait_for("/readyz");
        let end = Instant::now() + ASKED;
        while Instant::now() < end && !proxy.has_asked_everybody() {
            std::thread::sleep(Duration::from_millis(5));
        }
        proxy
    }

    fn spawn(self) -> Proxy {
        let folder = tempfile::tempdir().expect("a folder");
        let (rpc, admin) = (free_port(), free_port());
        for (name, content) in &self.files {
            std::fs::write(folder.path().join(name), content).expect("a file");
        }
        let config = folder.path().join("livechain.yaml");
        std::fs::write(&config, self.text(rpc, admin)).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_livechain"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().expect("a pipe"), &output),
            collect(child.stderr.take().expect("a pipe"), &output),
        ];
        Proxy {
            child,
            folder,
            rpc: SocketAddr::from((Ipv4Addr::LOCALHOST, rpc)),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, admin)),
            output,
            readers,
        }
    }
}

/// The lines of a section but for the one with this key.
fn without(section: &str, key: &str) -> String {
    section
        .lines()
        .filter(|line| line.split(':').next().unwrap_or_default().trim() != key)
        .fold(String::new(), |mut kept, line| {
            let _ = writeln!(kept, "{line}");
            kept
        })
}

fn collect(mut pipe: impl Read + Send + 'static, into: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let mut into = into.lock().expect("no reader panics");
            into.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    })
}

/// A running proxy. Killed when dropped; what it printed is shown when the test fails.
pub struct Proxy {
    child: Child,
    folder: TempDir,
    /// The data plane.
    pub rpc: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Proxy {
    fn wait_for(&mut self, path: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the proxy ended with {status} before it was ready");
            }
            let answers = TcpStream::connect(self.admin).is_ok();
            if answers && self.admin_get(path).status == 200 {
                return;
            }
            assert!(Instant::now() < end, "the proxy was not ready in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_asked_everybody(&self) -> bool {
        let readiness = self.admin_get("/readyz?verbose").json();
        let chains = readiness["chains"].as_object();
        chains.is_some_and(|chains| {
            chains
                .values()
                .all(|chain| chain["asked"] == chain["upstreams"])
        })
    }

    /// A connection to the data plane.
    pub fn connect(&self) -> Client {
        Client::connect(self.rpc)
    }

    /// A connection to the data plane from this address of loopback.
    pub fn connect_from(&self, from: [u8; 4]) -> Client {
        Client::connect_from(Ipv4Addr::from(from), self.rpc)
    }

    /// One POST on a connection of its own.
    pub fn post(&self, body: &str) -> Response {
        self.connect().post("/", body)
    }

    /// One GET on the admin port.
    pub fn admin_get(&self, path: &str) -> Response {
        let get = format!("GET {path} HTTP/1.1");
        Client::connect(self.admin).request(&[&get, "host: localhost", "connection: close"])
    }

    /// One PUT of JSON on the admin port.
    pub fn admin_put(&self, path: &str, body: &str) -> Response {
        let mut client = Client::connect(self.admin);
        let length = body.len();
        let put = format!(
            "PUT {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        client.send(put.as_bytes()).unwrap();
        client.response()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where the configuration lies.
    pub fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("livechain.yaml")
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the process lives");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("VmRSS");
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|n| n.parse().ok())
            .expect("a number");
        kib * 1024
    }

    /// Sum of the series of a metric that have all these labels.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.admin_get("/metrics").text();
        text.lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .filter(|line| {
                labels
                    .iter()
                    .all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// What it printed so far, standard output and error together.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().expect("no reader panics")).into_owned()
    }

    /// Sends it a signal by its id, as an operator would.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not on every machine.
        let kill = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = until("the proxy's end", || child.try_wait().expect("a child"));
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        status
    }

    /// Ends it as an operator would, and says how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("--- what the proxy printed ---\n{}", self.output());
        }
    }
}
