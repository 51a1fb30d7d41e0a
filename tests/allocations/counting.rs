//! An allocator that counts what chosen threads ask it for. It hands everything on to the system's, and exists in this test
//! binary alone: an allocator cannot be written without `unsafe`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static TRACING: AtomicBool = AtomicBool::new(false);
static TRACES: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());

/// Backtraces that are kept; enough to name the call sites of a few requests.
const MAX_TRACES: usize = 256;

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
    if !counted {
        return;
    }
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    if TRACING.load(Ordering::Relaxed) {
        // Taking a backtrace allocates too.
        let _ = COUNTED.try_with(|counted| counted.set(false));
        let mut traces = TRACES.lock().unwrap_or_else(PoisonError::into_inner);
        if traces.len() < MAX_TRACES {
            traces.push(Backtrace::force_capture());
        }
        drop(traces);
        let _ = COUNTED.try_with(|counted| counted.set(true));
    }
}

/// Counts this thread's allocations from now on.
pub fn count_this_thread() {
    COUNTED.with(|counted| counted.set(true));
}

/// Allocations of the counted threads so far; growing a block is one.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Remembers where the next allocations are asked for, or stops doing so.
pub fn trace(on: bool) {
    TRACING.store(on, Ordering::Relaxed);
}

/// Where the traced allocations were asked for, the most frequent place first, and forgets them.
pub fn places() -> String {
    let traces = std::mem::take(&mut *TRACES.lock().unwrap_or_else(PoisonError::into_inner));
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for trace in traces {
        *places.entry(frames(&trace.to_string())).or_default() += 1;
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let lines = places
        .iter()
        .map(|(place, times)| format!("{times} ×\n{place}\n"));
    lines.collect()
}

/// The frames of a backtrace that say something: those with a file of this repository, innermost first.
fn frames(trace: &str) -> String {
    let lines: Vec<&str> = trace.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter_map(|pair| match pair {
        [function, file] if file.starts_with("at ") => Some((*function, *file)),
        _ => None,
    });
    let telling = pairs.filter(|(function, file)| {
        !file.contains("counting.rs") && !file.contains("/rustc/") && !function.contains("core::")
    });
    let told = telling
        .take(6)
        .map(|(function, file)| format!("    {function}\n        {file}\n"));
    told.collect()
}
