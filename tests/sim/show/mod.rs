//! A study for people, for programs, and as a picture.

mod json;
mod markdown;
mod picture;
mod table;

pub use json::json;
pub use markdown::{Suite, markdown};
pub use picture::svg;
pub use table::table;
