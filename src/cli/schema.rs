//! `livechain schema`: the JSON Schema of a configuration file, for editors and CI.

use std::process::ExitCode;

/// Arguments of `schema`: none.
#[derive(clap::Args)]
pub struct Args {}

/// Prints the schema (draft 2020-12) with the engine's strategies and their options.
pub fn run(_: Args) -> ExitCode {
    super::check::print(&format!(
        "{:#}\n",
        config::schema(&crate::data_plane::catalog())
    ))
}
