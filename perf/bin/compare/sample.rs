//! Small results for tests of what is made from results.

use crate::lane::Measure;
use crate::measure::Cell;
use crate::profile::{Layer, Part, Profile};
use crate::results::{LaneRecord, Machine, SideRecord};
use std::collections::BTreeMap;

/// A cell of trial `t` in which a request cost `cpu_us`.
pub fn cell(round: usize, side: &str, cpu_us: f64) -> Cell {
    Cell {
        trial: "t".to_owned(),
        side: side.to_owned(),
        round,
        requests_ok: 10,
        calls_ok: 10,
        upstream_calls: 10,
        figures: BTreeMap::from([
            (Measure::CpuUsPerRequest, cpu_us),
            (Measure::P50Us, cpu_us * 2.0),
            (Measure::P99Us, cpu_us * 4.0),
            (Measure::P999Us, cpu_us * 8.0),
            (Measure::ProxyWaitingShare, 0.0),
        ]),
        ..Cell::default()
    }
}

/// A profile of two layers.
pub fn profile() -> Profile {
    let part = |layer, name: &str, share| Part {
        layer,
        name: name.to_owned(),
        share,
    };
    Profile {
        date: "2026-11-23".to_owned(),
        commit: None,
        machine: "2core-cpu".to_owned(),
        proxy: "b".to_owned(),
        work: "t".to_owned(),
        command: "perf/run --flame".to_owned(),
        samples: 100,
        parts: vec![
            part(Layer::Kernel, "sending", 0.4),
            part(Layer::Kernel, "receiving", 0.3),
            part(Layer::Own, "own", 0.3),
        ],
    }
}

/// A lane of one trial, two sides and two rounds; the second side costs half of the first.
pub fn lane(name: &str, cpu_us: f64) -> LaneRecord {
    let side = |side: &str| SideRecord {
        trial: "t".to_owned(),
        side: side.to_owned(),
        version: None,
        command: format!("{side} --config {{config}}"),
        configuration: Some(format!("peers/{side}.conf")),
    };
    LaneRecord {
        name: name.to_owned(),
        date: "2026-11-23".to_owned(),
        commit: Some("abc".to_owned()),
        machine: Machine {
            kind: "2core-cpu".to_owned(),
            model: "a cpu".to_owned(),
            kernel: "6.18".to_owned(),
        },
        rounds: 2,
        seconds: 2.0,
        command: format!("perf/run --lanes {name}"),
        sides: vec![side("a"), side("b")],
        cells: (0..2)
            .flat_map(|round| [cell(round, "a", cpu_us), cell(round, "b", cpu_us / 2.0)])
            .collect(),
    }
}
