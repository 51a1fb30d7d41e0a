//! What a comparison found, as it is kept: every cell, by lane, with the day, the machine and the command of each. A later
//! run of some lanes takes the place of those lanes alone. Computes nothing (`summary` does).

use crate::lanes;
use crate::measure::Cell;
use crate::profile::Profile;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// All lanes of a results folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub lanes: Vec<LaneRecord>,
    /// Where the subject's time goes, if that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// One lane as it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneRecord {
    pub name: String,
    /// UTC.
    pub date: String,
    /// Of the tree that was measured, where it is known.
    pub commit: Option<String>,
    pub machine: Machine,
    pub rounds: usize,
    pub seconds: f64,
    /// What repeats it.
    pub command: String,
    pub sides: Vec<SideRecord>,
    pub cells: Vec<Cell>,
}

/// Where it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub kind: String,
    pub model: String,
    pub kernel: String,
}

/// One side of a trial: how it is called, and what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideRecord {
    pub trial: String,
    pub side: String,
    pub version: Option<String>,
    pub command: String,
    pub configuration: Option<String>,
}

/// The file in a results folder from which the others are made.
const FILE: &str = "results.json";

impl Results {
    /// Those of a folder; none where it has none yet.
    pub fn load(folder: &Path) -> io::Result<Self> {
        match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => serde_json::from_str(&text).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Puts a lane in the place of an older run of it, lanes in the order of the table.
    pub fn replace(&mut self, lane: LaneRecord) {
        self.lanes.retain(|known| known.name != lane.name);
        self.lanes.push(lane);
        let place = |lane: &LaneRecord| lanes::NAMES.iter().position(|name| *name == lane.name);
        self.lanes
            .sort_by_key(|lane| place(lane).unwrap_or(usize::MAX));
    }

    /// Writes the file; the folder is made where there is none.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        fs::write(folder.join(FILE), text + "\n")
    }
}

impl LaneRecord {
    /// Names of the trials, in order.
    pub fn trials(&self) -> Vec<&str> {
        let mut trials: Vec<&str> = Vec::new();
        for side in &self.sides {
            if trials.last() != Some(&side.trial.as_str()) {
                trials.push(&side.trial);
            }
        }
        trials
    }

    /// Names of a trial's sides, in order.
    pub fn sides_of(&self, trial: &str) -> Vec<&str> {
        let sides = self.sides.iter().filter(|side| side.trial == trial);
        sides.map(|side| side.side.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Results;
    use crate::sample;

    #[test]
    fn a_lane_takes_the_place_of_its_older_run_alone() {
        let mut results = Results::default();
        results.replace(sample::lane("hit", 1.0));
        results.replace(sample::lane("forward", 2.0));
        results.replace(sample::lane("hit", 3.0));
        let names: Vec<_> = results
            .lanes
            .iter()
            .map(|lane| lane.name.as_str())
            .collect();
        assert_eq!(names, ["forward", "hit"]);
        assert_eq!(results.lanes[0], sample::lane("forward", 2.0));
        assert_eq!(results.lanes[1], sample::lane("hit", 3.0));
    }

    #[test]
    fn what_is_saved_is_loaded_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Results::load(folder.path()).unwrap(), Results::default());
        let mut results = Results::default();
        results.replace(sample::lane("forward", 2.0));
        let below = folder.path().join("new");
        results.save(&below).unwrap();
        assert_eq!(Results::load(&below).unwrap(), results);
        std::fs::write(below.join("results.json"), "{").unwrap();
        assert!(Results::load(&below).is_err());
    }
}
