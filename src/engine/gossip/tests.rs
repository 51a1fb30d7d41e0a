//! Merging: any order, any number of times, the same view.
