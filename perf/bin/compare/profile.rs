//! Where a proxy's processor time goes: samples of Linux `perf` under the load of a lane, as a flame graph and as shares of
//! kernel, runtime and the proxy's own parts. Needs a proxy built with frame pointers; what it finds is a share, never a
//! cost, because sampling costs too.

mod breakdown;
mod flame;
mod folded;

pub use breakdown::{Layer, Layers, Part};

use crate::lane::Trial;
use crate::machine::{self, TemporaryFolder};
use crate::measure;
use crate::peer::Peer;
use crate::proxy::{Ground, Proxy};
use crate::stage::Stage;
use folded::Folded;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Samples a second.
const FREQUENCY: &str = "1997";
/// Load before the first sample and after the last.
const MARGIN: Duration = Duration::from_secs(1);

/// What a profile found, as it is kept beside the lanes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// UTC.
    pub date: String,
    pub commit: Option<String>,
    /// The kind of machine.
    pub machine: String,
    /// The proxy.
    pub proxy: String,
    /// What it did.
    pub work: String,
    /// What repeats it.
    pub command: String,
    pub samples: u64,
    pub parts: Vec<Part>,
}

/// Samples a proxy while it plays the last side of a trial. Returns what was found and the flame graph.
pub fn take(
    peer: &Peer,
    trial: &Trial,
    cpus: [usize; 2],
    time: Duration,
    commit: Option<String>,
) -> Result<(Profile, String), Box<dyn Error>> {
    let side = trial.sides.last().ok_or("the trial has no side")?;
    let folder = TemporaryFolder::create()?;
    let stage = Stage::set(&trial.scenery, &folder)?;
    let ground = Ground {
        folder: &folder,
        cpus,
    };
    let proxy = Proxy::start(peer, side, &stage, &ground)?;
    let samples = folder.fresh("samples")?.join("perf.data");
    let recorded = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let under = measure::under_load(side, &proxy, &stage, time + 2 * MARGIN);
            under.map_err(|error| error.to_string())
        });
        thread::sleep(MARGIN);
        let recorded = record(proxy.pid(), &samples, time);
        let under = load.join().map_err(|_| "the load broke".to_owned());
        under.and_then(|under| under)?;
        recorded.map_err(|error| error.to_string())
    });
    recorded?;
    let folded = Folded::parse(&script(&samples)?);
    let layers = peer.layers();
    let work = format!("forward, {}", trial.name);
    let profile = Profile {
        date: machine::today(),
        commit,
        machine: machine::kind(),
        proxy: peer.title.clone(),
        work: work.clone(),
        command: format!("perf/run --flame --seconds {}", time.as_secs_f64()),
        samples: folded.samples(),
        parts: breakdown::breakdown(&folded, layers),
    };
    let title = format!("{}: {work}", peer.title);
    Ok((profile, flame::draw(&folded, layers, &title)))
}

fn record(pid: u32, samples: &Path, time: Duration) -> Result<(), Box<dyn Error>> {
    let output = Command::new("perf")
        .args(["record", "-q", "--call-graph", "fp", "-F", FREQUENCY, "-p"])
        .arg(pid.to_string())
        .arg("-o")
        .arg(samples)
        .args(["--", "sleep"])
        .arg(time.as_secs_f64().to_string())
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("perf is needed and does not start: {error}"))?;
    if output.status.success() && fs::metadata(samples).is_ok() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("perf cannot sample: {}", said.trim()).into())
}

fn script(samples: &Path) -> Result<String, Box<dyn Error>> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,ip,sym,dso", "-i"])
        .arg(samples)
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("perf cannot read its samples: {}", said.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
