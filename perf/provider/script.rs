//! The behaviour script in force: rules and latencies, changed from the handle while connections read it. Readers keep
//! a copy and look at one number per request; never a lock while nothing changes.

use super::fault::{Active, FaultId, Rule};
use super::latency::Latency;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The script, as the handle changes it.
#[derive(Debug)]
pub(super) struct Script {
    epoch: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    scene: Arc<Scene>,
    next_id: u64,
    /// Every rule ever injected, for its hits. Bounded by how often a test injects.
    all: BTreeMap<FaultId, Arc<Active>>,
}

/// What is in force at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    pub(super) rules: Vec<Arc<Active>>,
    latency: Latency,
    method_latency: Vec<(String, Latency)>,
}

impl Scene {
    /// Whether requests are answered plainly and at once.
    pub(super) fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.latency == Latency::None && self.method_latency.is_empty()
    }

    /// The latency of requests whose first call is of this method.
    pub(super) fn latency_of(&self, method: &[u8]) -> &Latency {
        let own = self
            .method_latency
            .iter()
            .find(|(name, _)| name.as_bytes() == method);
        own.map_or(&self.latency, |(_, latency)| latency)
    }
}

/// A reader's copy of the scene.
#[derive(Debug)]
pub(super) struct Reader {
    epoch: u64,
    scene: Arc<Scene>,
}

impl Reader {
    /// The scene in force now.
    pub(super) fn scene(&mut self, script: &Script) -> &Arc<Scene> {
        if script.epoch.load(Ordering::SeqCst) != self.epoch {
            *self = script.reader();
        }
        &self.scene
    }
}

impl Script {
    pub(super) fn new(latency: Latency) -> Self {
        let scene = Arc::new(Scene {
            latency,
            ..Scene::default()
        });
        let state = State {
            scene,
            next_id: 1,
            all: BTreeMap::new(),
        };
        Self {
            epoch: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    pub(super) fn reader(&self) -> Reader {
        let state = self.lock();
        Reader {
            epoch: self.epoch.load(Ordering::SeqCst),
            scene: Arc::clone(&state.scene),
        }
    }

    pub(super) fn inject(&self, rule: Rule) -> FaultId {
        let mut state = self.lock();
        let id = FaultId(state.next_id);
        state.next_id += 1;
        let active = Active::new(id, rule);
        state.all.insert(id, Arc::clone(&active));
        self.publish(&mut state, |scene| scene.rules.push(active));
        id
    }

    pub(super) fn clear(&self, id: FaultId) {
        self.publish(&mut self.lock(), |scene| {
            scene.rules.retain(|active| active.id != id)
        });
    }

    pub(super) fn clear_all(&self) {
        self.publish(&mut self.lock(), |scene| scene.rules.clear());
    }

    pub(super) fn hits(&self, id: FaultId) -> u64 {
        self.lock().all.get(&id).map_or(0, |active| active.hits())
    }

    pub(super) fn set_latency(&self, latency: Latency) {
        self.publish(&mut self.lock(), |scene| scene.latency = latency);
    }

    pub(super) fn set_method_latency(&self, method: &str, latency: Latency) {
        self.publish(&mut self.lock(), |scene| {
            scene.method_latency.retain(|(name, _)| name != method);
            scene.method_latency.push((method.to_owned(), latency));
        });
    }

    fn publish(&self, state: &mut State, change: impl FnOnce(&mut Scene)) {
        let mut scene = Scene::clone(&state.scene);
        change(&mut scene);
        state.scene = Arc::new(scene);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
