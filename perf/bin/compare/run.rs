//! Runs lanes: sets the stage of each trial, starts its proxies, and measures them in rotation. Decides nothing about
//! figures.

use crate::lane::{Lane, Side, Trial, Who};
use crate::machine::{self, TemporaryFolder};
use crate::measure::{self, Cell, Setting, Times};
use crate::peer::Peer;
use crate::proxy::{Ground, Proxy};
use crate::results::{LaneRecord, Machine, SideRecord};
use crate::stage::Stage;
use crate::summary::Spread;
use std::error::Error;

/// What all lanes of a run share.
#[derive(Debug)]
pub struct Run {
    /// The proxies that are there.
    pub peers: Vec<Peer>,
    /// Name of the one that the comparison is about.
    pub subject: String,
    pub rounds: usize,
    pub times: Times,
    /// Processors of the proxies.
    pub cpus: [usize; 2],
    /// Only trials whose name has this in it.
    pub only: Option<String>,
    pub commit: Option<String>,
    /// What was typed to repeat it, without the lane.
    pub command: String,
}

/// A side and the proxy that plays it.
type Cast<'a> = (&'a Side, &'a Peer);

impl Run {
    /// Measures a lane.
    pub fn lane(&self, lane: &Lane) -> Result<LaneRecord, Box<dyn Error>> {
        let mut record = LaneRecord {
            name: lane.name.to_owned(),
            date: machine::today(),
            commit: self.commit.clone(),
            machine: Machine {
                kind: machine::kind(),
                model: machine::model(),
                kernel: machine::kernel(),
            },
            rounds: self.rounds,
            seconds: self.times.load.as_secs_f64(),
            command: format!("perf/run --lanes {}{}", lane.name, self.command),
            sides: Vec::new(),
            cells: Vec::new(),
        };
        let wanted = |trial: &&Trial| {
            self.only
                .as_ref()
                .is_none_or(|part| trial.name.contains(part))
        };
        for trial in lane.trials.iter().filter(wanted) {
            let cast: Vec<Cast<'_>> = trial
                .sides
                .iter()
                .filter_map(|side| Some((side, self.peer(side.who)?)))
                .collect();
            if cast.is_empty() {
                eprintln!(
                    "{}, {}: nobody is there to take part",
                    lane.name, trial.name
                );
                continue;
            }
            let sides = cast.iter();
            record
                .sides
                .extend(sides.map(|(side, peer)| side_record(trial, side, peer)));
            record.cells.extend(self.trial(lane, trial, &cast)?);
        }
        Ok(record)
    }

    fn peer(&self, who: Who) -> Option<&Peer> {
        let name = match who {
            Who::Peer(name) => name,
            Who::Subject => &self.subject,
        };
        self.peers.iter().find(|peer| peer.name == name)
    }

    fn trial(
        &self,
        lane: &Lane,
        trial: &Trial,
        cast: &[Cast<'_>],
    ) -> Result<Vec<Cell>, Box<dyn Error>> {
        let folder = TemporaryFolder::create()?;
        let stage = Stage::set(&trial.scenery, &folder)?;
        let ground = Ground {
            folder: &folder,
            cpus: self.cpus,
        };
        let start = |&(side, peer): &Cast<'_>| Proxy::start(peer, side, &stage, &ground);
        let mut proxies = if trial.fresh {
            Vec::new()
        } else {
            cast.iter().map(start).collect::<Result<Vec<_>, _>>()?
        };
        let common = Setting {
            stage: &stage,
            times: self.times,
            rate_per_s: self.half_of_maximum(trial, proxies.first(), &stage)?,
            is_about_latency: lane.is_about_latency(),
        };
        let mut cells = Vec::new();
        for round in 0..self.rounds.max(1) {
            for (index, actor) in cast.iter().enumerate() {
                if trial.fresh {
                    proxies = vec![start(actor)?];
                }
                let proxy = proxies.get(if trial.fresh { 0 } else { index });
                let proxy = proxy.ok_or("a proxy is missing")?;
                let (side, peer) = *actor;
                let found = measure::cell(side, round, proxy, &common)?;
                let cell = Cell {
                    trial: trial.name.clone(),
                    side: label(side, peer),
                    round,
                    ..found
                };
                eprintln!("{cell}");
                cells.push(cell);
            }
        }
        Ok(cells)
    }

    /// Half of what the first proxy reaches, where a trial wants to know; the median of three tries.
    fn half_of_maximum(
        &self,
        trial: &Trial,
        proxy: Option<&Proxy>,
        stage: &Stage,
    ) -> Result<Option<f64>, Box<dyn Error>> {
        let (Some((mix, connections)), Some(proxy)) = (trial.needs_maximum(), proxy) else {
            return Ok(None);
        };
        let mut rates = Vec::new();
        for _ in 0..3 {
            let time = self.times.load;
            rates.push(measure::maximum_rate(mix, connections, proxy, stage, time)?);
        }
        let maximum = Spread::of(rates).map_or(0.0, |spread| spread.median);
        eprintln!("{}: closed loop {maximum:.0}/s", trial.name);
        Ok(Some((maximum / 2.0).round()))
    }
}

/// How a side is called.
fn label(side: &Side, peer: &Peer) -> String {
    if side.note.is_empty() {
        peer.title.clone()
    } else {
        format!("{}, {}", peer.title, side.note)
    }
}

fn side_record(trial: &Trial, side: &Side, peer: &Peer) -> SideRecord {
    SideRecord {
        trial: trial.name.clone(),
        side: label(side, peer),
        version: peer.version.clone(),
        command: peer.shown(),
        configuration: peer.configuration(side.variant),
    }
}
