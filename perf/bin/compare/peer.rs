//! The proxies that are known: each a folder with a manifest and its configurations, so that this program knows of none
//! of them by itself. Finds out whether a proxy is there; starts none (`proxy` does).

use crate::profile::Layers;
use serde::Deserialize;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `peer.json` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// How it is called in the results.
    title: String,
    /// Its program, unless another is named on the command line.
    program: String,
    /// Arguments with which it tells its version.
    #[serde(default)]
    version: Vec<String>,
    /// How it is started. Names in braces are filled in.
    command: Vec<String>,
    /// Of its configurations' files, which are named by variant; none where it needs none.
    extension: Option<String>,
    /// Whose its symbols are, for profiles.
    #[serde(default)]
    layers: Layers,
}

/// A proxy that is there.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: String,
    /// How it is called in the results.
    pub title: String,
    /// What it says its version is.
    pub version: Option<String>,
    program: PathBuf,
    folder: PathBuf,
    manifest: Manifest,
}

/// A proxy as named on the command line: `NAME` or `NAME=PROGRAM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub program: Option<PathBuf>,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, program) = text
            .split_once('=')
            .map_or((text, None), |(name, program)| (name, Some(program)));
        if name.is_empty() || program.is_some_and(str::is_empty) {
            return Err(format!("{text:?} is neither NAME nor NAME=PROGRAM"));
        }
        Ok(Self {
            name: name.to_owned(),
            program: program.map(PathBuf::from),
        })
    }
}

/// How a proxy is started for one side of a trial.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub template: Option<String>,
    pub command: Vec<String>,
}

impl Peer {
    /// Looks for a peer below `folder`. The error says in a sentence why it cannot take part.
    pub fn find(folder: &Path, wanted: &Wanted) -> Result<Self, String> {
        let name = &wanted.name;
        let folder = folder.join(name);
        let manifest = folder.join("peer.json");
        let text = fs::read_to_string(&manifest)
            .map_err(|error| format!("{name} is not known: {}: {error}", manifest.display()))?;
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|error| format!("{}: {error}", manifest.display()))?;
        let program = wanted
            .program
            .clone()
            .unwrap_or_else(|| PathBuf::from(&manifest.program));
        let asked = Command::new(&program).args(&manifest.version).output();
        let asked = asked.map_err(|error| {
            format!(
                "{name} takes no part: {} does not start: {error}",
                program.display()
            )
        })?;
        // nginx answers on standard error.
        let said = if asked.stdout.is_empty() {
            asked.stderr
        } else {
            asked.stdout
        };
        let version = String::from_utf8_lossy(&said)
            .lines()
            .next()
            .filter(|_| !manifest.version.is_empty())
            .map(str::to_owned);
        Ok(Self {
            name: name.clone(),
            title: manifest.title.clone(),
            version,
            program,
            folder,
            manifest,
        })
    }

    /// How it is started with one of its configurations.
    pub fn recipe(&self, variant: &str) -> Result<Recipe, Box<dyn Error>> {
        let template = match &self.manifest.extension {
            None => None,
            Some(extension) => {
                let file = self.folder.join(format!("{variant}.{extension}"));
                let text = fs::read_to_string(&file);
                Some(text.map_err(|error| format!("{}: {error}", file.display()))?)
            }
        };
        let program = self.program.to_string_lossy();
        let command = self.manifest.command.iter();
        let command = command.map(|word| word.replace("{program}", &program));
        Ok(Recipe {
            template,
            command: command.collect(),
        })
    }

    /// The command as results show it: without the program's folder, which says nothing about the measurement.
    pub fn shown(&self) -> String {
        let program = self.program.file_name().unwrap_or_default();
        let program = program.to_string_lossy();
        let words = self.manifest.command.iter();
        let words: Vec<String> = words
            .map(|word| word.replace("{program}", &program))
            .collect();
        words.join(" ")
    }

    /// Whose its symbols are.
    pub fn layers(&self) -> &Layers {
        &self.manifest.layers
    }

    /// Where its configurations are, for readers of the results.
    pub fn configuration(&self, variant: &str) -> Option<String> {
        let extension = self.manifest.extension.as_ref()?;
        Some(format!("perf/peers/{}/{variant}.{extension}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::{Peer, Wanted};
    use crate::lane::Who;
    use crate::lanes;
    use std::path::{Path, PathBuf};

    fn wanted(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    fn peers() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
    }

    #[test]
    fn a_program_may_be_named() {
        assert_eq!(wanted("a").program, None);
        assert_eq!(wanted("a=b/c").program, Some(PathBuf::from("b/c")));
        assert!("=b".parse::<Wanted>().is_err());
        assert!("a=".parse::<Wanted>().is_err());
    }

    #[test]
    fn who_is_not_there_takes_no_part() {
        let missing = Peer::find(&peers(), &wanted("nginx=no/such/program")).unwrap_err();
        assert!(missing.contains("takes no part"), "{missing}");
        let unknown = Peer::find(&peers(), &wanted("nobody")).unwrap_err();
        assert!(unknown.contains("not known"), "{unknown}");
    }

    /// Whichever programs are installed, the harness has what it needs to start them on every lane.
    #[test]
    fn every_side_has_its_configuration() {
        // Any program that starts will do: only the files are looked at.
        let find = |name: &str| Peer::find(&peers(), &wanted(&format!("{name}=true"))).unwrap();
        for name in lanes::NAMES {
            let lane = lanes::lane(name, lanes::Rates::default()).unwrap();
            for side in lane.trials.iter().flat_map(|trial| &trial.sides) {
                let peer = match side.who {
                    Who::Peer(name) => find(name),
                    Who::Subject => find("livechain"),
                };
                let recipe = peer.recipe(side.variant);
                assert!(recipe.is_ok(), "{name}: {:?}", recipe.err());
            }
        }
        assert_eq!(
            find("nginx").shown(),
            "true -p {folder} -c {config}",
            "the folder of the program is not shown"
        );
    }
}
