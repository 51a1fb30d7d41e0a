//! Arguments to command; the allocator is chosen here and only here.
fn main() {}
