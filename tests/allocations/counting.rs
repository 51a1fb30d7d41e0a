//! An allocator that remembers what chosen threads asked it for, and where. It hands everything on to the system's, and exists in
//! this test binary alone: an allocator cannot be written without `unsafe`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());

/// Allocations that are kept; what makes more of them than this is no steady state.
const MAX_KEPT: usize = 100_000;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every method passes its arguments on to `System` unchanged and returns what that returned; counting touches no
// memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

fn count() {
    // A thread that is ending has no flag any more, and is none of ours.
    let counted = COUNTED.try_with(Cell::get).unwrap_or(false);
    if !counted || !COUNTING.load(Ordering::Relaxed) {
        return;
    }
    // Taking a backtrace allocates too.
    let _ = COUNTED.try_with(|counted| counted.set(false));
    let mut allocations = ALLOCATIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if allocations.len() < MAX_KEPT {
        allocations.push(Backtrace::force_capture());
    }
    drop(allocations);
    let _ = COUNTED.try_with(|counted| counted.set(true));
}

/// Counts this thread's allocations whenever [`during`] says so.
pub fn count_this_thread() {
    COUNTED.with(|counted| counted.set(true));
}

/// The allocations of the counted threads while something is done; growing a block is one.
pub fn during(what: impl FnOnce()) -> Vec<Place> {
    COUNTING.store(true, Ordering::Relaxed);
    what();
    COUNTING.store(false, Ordering::Relaxed);
    let traces = std::mem::take(&mut *ALLOCATIONS.lock().unwrap_or_else(PoisonError::into_inner));
    traces.iter().map(Place::of).collect()
}

/// Where memory was asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The functions that were under way, innermost first, those of the allocator left out.
    functions: Vec<String>,
    /// The files of this repository that they are in.
    files: Vec<String>,
}

impl Place {
    fn of(trace: &Backtrace) -> Self {
        let text = trace.to_string();
        let functions = text.lines().filter_map(|line| {
            let (number, function) = line.trim().split_once(": ")?;
            number.parse::<u32>().ok()?;
            Some(function)
        });
        let files = text.lines().filter_map(|line| {
            let (_, file) = line.trim().strip_prefix("at ")?.split_once("src/")?;
            line.contains("./src/")
                .then(|| file.split(':').next().unwrap_or_default().to_owned())
        });
        let of_the_allocator =
            |function: &&str| ["count", "alloc", "__rust_alloc"].contains(function);
        let described = |function: &&str| !function.starts_with("std::backtrace");
        Self {
            functions: functions
                .filter(described)
                .skip_while(of_the_allocator)
                .take(8)
                .map(str::to_owned)
                .collect(),
            files: files.collect(),
        }
    }

    /// Whether code of any other file than these had a part in it.
    pub fn is_beyond(&self, files: &[&str]) -> bool {
        self.files
            .iter()
            .any(|file| !files.contains(&file.as_str()))
    }
}

/// The places in words, the most frequent first.
pub fn told(places: &[Place]) -> String {
    let mut times: BTreeMap<&Place, usize> = BTreeMap::new();
    for place in places {
        *times.entry(place).or_default() += 1;
    }
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let lines = times.iter().map(|(place, times)| {
        let (functions, files) = (place.functions.join("\n      < "), place.files.join(", "));
        format!("{times} x {functions}\n      in {files}\n")
    });
    lines.collect()
}
