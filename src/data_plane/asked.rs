//! What a client asked, understood once: its route, method, policy and bytes. Later stages read this and never parse again.

use std::borrow::Cow;
use std::rc::Rc;

use engine::block::BlockRef;
use engine::call::Request;
use engine::index::UpstreamIndex;
use engine::method::{self, FilterRole};
use engine::protocol::{Protocol, ProtocolSet};
use engine::time::Instant;
use wire::canonical::{self, NotCanonical};
use wire::envelope::{Call, Item};
use wire::{filter_id, params, splice};

use super::alarm::Alarm;
use super::incoming::RequestId;
use super::policies::{ChainNamed, MethodEntry};
use super::route::Route;
use super::sender::Sender;
use super::snapshot;
use super::terms;
use super::upstream::judge::Asked;
use super::worker::Worker;

/// What all calls of one HTTP request share.
#[derive(Clone, Copy)]
pub struct RequestContext<'r> {
    /// As sent back in `x-request-id`.
    pub request_id: RequestId,
    /// Whether its events are logged.
    pub sampled: bool,
    /// When its head was read, on [`rt::now`].
    pub started_ns: u64,
    /// Where it comes from.
    pub sender: Sender,
    /// The timer of the task that serves it; None where its calls are polled by others than that task.
    pub alarm: Option<&'r Alarm>,
}

/// One call, described.
pub struct Question<'b> {
    /// Of which request.
    pub context: &'b RequestContext<'b>,
    /// Its place in the batch.
    pub ordinal: u32,
    /// Where it goes.
    pub route: Route,
    /// What is known and configured about its method.
    pub entry: MethodEntry,
    /// The method's name, unescaped.
    pub method: Cow<'b, [u8]>,
    body: &'b [u8],
    item: Item,
    call: Call,
    /// The params to send where they are not the caller's: a filter's id put back into the node's own.
    params: Option<Vec<u8>>,
    /// The upstream that has the filter.
    owner: Option<UpstreamIndex>,
    /// Which block it asks about.
    pub block: BlockRef,
}

/// Why a call is answered without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// The method is not served here.
    NotAllowed,
    /// The filter's id names no upstream of this chain.
    FilterNotFound,
}

impl<'b> Question<'b> {
    /// Describes a call of a body.
    pub fn describe(
        worker: &Rc<Worker>,
        context: &'b RequestContext<'b>,
        route: Route,
        ordinal: u32,
        body: &'b [u8],
        item: &Item,
        call: &Call,
    ) -> (Self, Result<(), Unasked>) {
        let raw_method = call.method.of(body);
        let method = if call.method_escaped {
            let mut name = Vec::new();
            wire::json::unescape(raw_method, &mut name);
            Cow::Owned(name)
        } else {
            Cow::Borrowed(raw_method)
        };
        let entry = match (worker.chain(route.chain), worker.configured(route.chain)) {
            (Some(chain), Some(configured)) => {
                chain.policies.of(&worker.epoch.config, configured, &method)
            }
            _ => MethodEntry::UNKNOWN,
        };
        let mut question = Self {
            context,
            ordinal,
            route,
            entry,
            method,
            body,
            item: *item,
            call: *call,
            params: None,
            owner: None,
            block: BlockRef::None,
        };
        question.block = terms::block_of(method::policy(entry.id).block_param, question.params());
        let served = if !entry.allowed {
            Err(Unasked::NotAllowed)
        } else if entry.filter == FilterRole::Uses {
            question.find_filter(worker)
        } else {
            Ok(())
        };
        (question, served)
    }

    /// Puts the node's own filter id into the params, and remembers whose it is.
    fn find_filter(&mut self, worker: &Rc<Worker>) -> Result<(), Unasked> {
        let gone = Unasked::FilterNotFound;
        let given = self.call.params.ok_or(gone)?.of(self.body);
        let span = params::first_string(given).ok_or(gone)?;
        let decoded = filter_id::decode(span.of(given)).map_err(|_| gone)?;
        let owner = worker
            .chain(self.route.chain)
            .and_then(|chain| chain.upstream_by_tag(decoded.tag))
            .ok_or(gone)?;
        let mut own_id = Vec::new();
        decoded.write_node_id(&mut own_id);
        let mut params = Vec::new();
        splice::write_replaced(&mut params, given, span, &own_id);
        self.owner = Some(owner.index);
        self.params = Some(params);
        Ok(())
    }

    /// The same question about a block by its number, where the caller named it by a tag in the first parameter.
    pub fn about_block(&self, number: u64) -> Option<Self> {
        let given = self.call.params?.of(self.body);
        let tag = params::first_string(given)?;
        let mut quantity = Vec::new();
        wire::quantity::write(&mut quantity, number);
        let mut params = Vec::new();
        splice::write_replaced(&mut params, given, tag, &quantity);
        Some(Self {
            context: self.context,
            ordinal: self.ordinal,
            route: self.route,
            entry: self.entry,
            method: self.method.clone(),
            body: self.body,
            item: self.item,
            call: self.call,
            params: Some(params),
            owner: self.owner,
            block: BlockRef::Number(number),
        })
    }

    /// Whether one upstream and no other may be asked.
    pub fn is_pinned(&self) -> bool {
        self.owner.or(self.route.pinned).is_some()
    }

    /// Appends the whole call, as a key: its chain, its method and its params in canonical form. Two calls with equal keys ask for
    /// the same thing.
    ///
    /// # Errors
    /// Why its params have no canonical form; `out` is to be thrown away then.
    pub fn write_key(&self, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
        out.extend_from_slice(&self.route.chain.0.to_le_bytes());
        out.extend_from_slice(&self.entry.id.0.to_le_bytes());
        if !self.entry.id.is_known() {
            out.extend_from_slice(&(self.method.len() as u64).to_le_bytes());
            out.extend_from_slice(&self.method);
        }
        canonical::write_params(out, self.params())
    }

    /// The caller's id, byte for byte; a notification has none and is never answered.
    pub fn id(&self) -> &'b [u8] {
        self.item.id.map_or(b"null", |span| span.of(self.body))
    }

    /// The caller's own object.
    pub fn raw(&self) -> &'b [u8] {
        self.item.raw.of(self.body)
    }

    /// The params as the upstream gets them.
    pub fn params(&self) -> Option<&[u8]> {
        match &self.params {
            Some(params) => Some(params),
            None => self.call.params.map(|span| span.of(self.body)),
        }
    }

    /// The caller's id as a number, where the caller's own bytes may go upstream under it.
    pub fn own_id(&self) -> Option<u64> {
        if !self.call.verbatim_ok || self.params.is_some() {
            return None;
        }
        std::str::from_utf8(self.id()).ok()?.parse().ok()
    }

    /// Appends the call under an id of ours.
    pub fn write_call(&self, out: &mut Vec<u8>, id: u64) {
        splice::write_call(out, id, &self.method, self.params());
    }

    /// The method's name for people and rules; empty where it is not UTF-8.
    pub fn method_text(&self) -> &str {
        std::str::from_utf8(&self.method).unwrap_or_default()
    }

    /// What judgement needs to know.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            method: self.method_text(),
            filter: self.entry.filter,
            chain_id: match self.entry.names_chain {
                Some(ChainNamed::Id(id)) => Some(id),
                Some(ChainNamed::Network(_)) | None => None,
            },
        }
    }

    /// How many blocks it asks for. Only a range may need the chain's head for that.
    fn blocks(&self, worker: &Worker) -> u64 {
        let newest = match self.block {
            BlockRef::Range { .. } => worker.engine.borrow().chain_head(self.route.chain).newest,
            _ => None,
        };
        self.block.blocks(newest)
    }

    /// The call as the engine sees it.
    pub fn request(&self, worker: &Worker) -> Request {
        let chain = worker.chain(self.route.chain);
        let timeout = chain.map(|chain| chain.policies.timeout(self.entry.policy));
        let timeout_ns = snapshot::nanos(timeout.unwrap_or_default());
        let strategy = self
            .route
            .strategy
            .and_then(|kind| chain?.named.get(kind).copied());
        let excluded = worker
            .configured(self.route.chain)
            .map(|configured| snapshot::excluded(configured, &self.entry, &self.method));
        Request {
            chain: self.route.chain,
            policy: self.entry.policy,
            method: self.entry.id,
            effect: self.entry.effect,
            deadline: Instant(self.context.started_ns.saturating_add(timeout_ns)),
            strategy,
            pinned: self.owner.or(self.route.pinned),
            excluded: excluded.unwrap_or_default(),
            height: self.block.height(method::policy(self.entry.id)),
            blocks: self.blocks(worker),
            session: Some(self.context.sender.session),
            region: self.context.sender.region,
            protocols: ProtocolSet::only(Protocol::Http),
        }
    }
}
