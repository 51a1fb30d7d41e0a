//! How an upstream can be talked to, and what a call needs of that. It opens no connection.

/// A way of talking to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// Requests over HTTP, one answer each.
    Http,
    /// A WebSocket: calls, and what the node sends by itself.
    WebSocket,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 2] = [Self::Http, Self::WebSocket];

    /// The name in configurations, metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::WebSocket => "websocket",
        }
    }
}

/// A set of protocols: those that an upstream speaks, or those of which a call needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProtocolSet(u8);

impl ProtocolSet {
    /// Each of them. As a call's need it leaves nobody out.
    pub const ANY: Self = Self((1 << Protocol::ALL.len()) - 1);

    /// Just this one.
    #[must_use]
    pub const fn only(protocol: Protocol) -> Self {
        Self(1 << protocol as u8)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Is there one that is in both?
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Default for ProtocolSet {
    fn default() -> Self {
        Self::ANY
    }
}
