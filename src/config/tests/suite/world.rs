//! What the fixtures under `tests/config` live in: variables, files and strategies. No real file but
//! the fixtures themselves is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{
    Config, GivenEnvironment, OptionDescription, OptionKind, Problems, StrategyCatalog,
    StrategyDescription,
};

/// A text that no output may hold: it stands wherever a fixture has a secret.
pub const SECRET: &str = "SECRETKEY";

/// The folder of the fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/config")
}

/// Variables and files that fixtures may name.
pub fn environment() -> GivenEnvironment {
    let mut given = GivenEnvironment::default();
    for (name, value) in [
        ("ALCHEMY_KEY", "from-SECRETKEY-env"),
        ("PORT", "8645"),
        ("EMPTY", ""),
    ] {
        given.variables.insert(name.to_owned(), value.to_owned());
    }
    let pem = |kind: &str| format!("-----BEGIN {kind}-----\nMAA=\n-----END {kind}-----\n");
    for (name, content) in [
        ("server.pem", pem("CERTIFICATE")),
        ("server.key", pem("PRIVATE KEY")),
        ("ca.pem", pem("CERTIFICATE")),
        ("url.txt", "https://node.example.org/SECRETKEY\n".to_owned()),
        ("header.txt", "a SECRETKEY value\n".to_owned()),
        ("empty.txt", "\n".to_owned()),
        ("broken.mmdb", "not a database".to_owned()),
    ] {
        given
            .files
            .insert(Path::new("/fixtures").join(name), content.into_bytes());
    }
    let networks = [([192, 0, 2, 0], 24, "DE", "EU")];
    for (name, kind) in [
        ("country.mmdb", "GeoLite2-Country"),
        ("asn.mmdb", "GeoLite2-ASN"),
    ] {
        let database = crate::mmdb::database(kind, &networks);
        given
            .files
            .insert(Path::new("/fixtures").join(name), database);
    }
    given
}

/// Strategies with one option of each kind.
pub fn catalog() -> StrategyCatalog {
    let option = |name, kind| OptionDescription {
        name,
        about: "For tests.",
        kind,
    };
    let leaderboard = StrategyDescription {
        name: "leaderboard",
        about: "The fastest healthy one.",
        when_to_use: "Always.",
        over: None,
        options: vec![
            option("sticky", OptionKind::Flag { default: false }),
            option(
                "explore",
                OptionKind::Share {
                    max_basis_points: 1_000,
                    default_basis_points: 200,
                },
            ),
            option(
                "half_life",
                OptionKind::Duration {
                    min: Duration::from_secs(1),
                    max: Duration::from_secs(60),
                    default: Duration::from_secs(10),
                },
            ),
            option(
                "window",
                OptionKind::Integer {
                    min: 1,
                    max: 10,
                    default: 3,
                },
            ),
            option(
                "by",
                OptionKind::Word {
                    words: &["latency", "health"],
                    default: 0,
                },
            ),
        ],
    };
    let sticky = StrategyDescription {
        name: "sticky",
        about: "A session stays where it is.",
        when_to_use: "For sessions.",
        over: Some("over"),
        options: vec![
            option(
                "over",
                OptionKind::Word {
                    words: &["priority", "leaderboard"],
                    default: 0,
                },
            ),
            option(
                "max_extra",
                OptionKind::Share {
                    max_basis_points: 20_000,
                    default_basis_points: 10_000,
                },
            ),
            option(
                "window",
                OptionKind::Integer {
                    min: 20,
                    max: 30,
                    default: 20,
                },
            ),
        ],
    };
    let mut catalog = StrategyCatalog::of_names(&["priority", "round_robin"]);
    catalog.strategies.insert(0, leaderboard);
    catalog.strategies.push(sticky);
    catalog
}

/// Reads a text as if it were the file `/fixtures/NAME`.
pub fn read(name: &str, text: &str) -> Result<Config, Problems> {
    config::parse(
        text,
        name,
        Path::new("/fixtures"),
        &environment(),
        &catalog(),
    )
}
