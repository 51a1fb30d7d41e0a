//! An event as one line of JSON, field by field as its row in the table says.
//! Never writes a key that the table does not declare, nor a line break inside of a line.

use crate::dimensions::Dimensions;
use crate::events::{CallEnd, Event, Field, SelectionMade};
use crate::foreign::{MAX_FOREIGN_BYTES, push_json_string};
use crate::wall_time::push_rfc3339;

/// Appends the event and a line feed. `base_unix_us` is the wall-clock time of the process's time base.
pub fn push_line(out: &mut String, event: &Event, dimensions: &Dimensions, base_unix_us: u64) {
    let mut line = Line {
        out,
        dimensions,
        event,
        base_unix_us,
        first: true,
    };
    line.out.push('{');
    for field in event.spec().fields {
        line.push(*field);
    }
    line.out.push_str("}\n");
}

/// A line being written.
struct Line<'a> {
    out: &'a mut String,
    dimensions: &'a Dimensions,
    event: &'a Event,
    base_unix_us: u64,
    first: bool,
}

impl Line<'_> {
    /// Writes one field, or nothing where it does not apply.
    fn push(&mut self, field: Field) {
        let head = self.event.head();
        let chain = usize::from(head.chain);
        match field {
            Field::Time => {
                self.key(field);
                self.out.push('"');
                push_rfc3339(self.out, self.base_unix_us + head.at_ns / 1_000);
                self.out.push('"');
            }
            Field::Event => self.text(field, self.event.spec().name),
            Field::RequestId => self.text(field, head.request_id.as_str()),
            Field::Call => self.number(field, u64::from(head.call)),
            Field::Shard => self.number(field, u64::from(head.shard)),
            Field::Chain => {
                if let Some(chain) = self.dimensions.chains.get(chain) {
                    self.text(field, &chain.name);
                }
            }
            Field::Method => {
                self.text(field, self.dimensions.method_name(usize::from(head.method)))
            }
            Field::MethodOriginal => {
                if let Some(method) = &head.method_original {
                    self.text(field, method.as_str());
                }
            }
            Field::Protocol => self.text(field, head.protocol.label()),
            Field::Upstream => self.upstream_text(field, |upstream| &upstream.name),
            Field::Provider => self.upstream_text(field, |upstream| &upstream.provider),
            _ => match self.event {
                Event::Start(_) => {}
                Event::End(_, end) => self.push_end(field, end),
                Event::Selection(_, selection) => self.push_selection(field, chain, selection),
            },
        }
    }

    fn push_end(&mut self, field: Field, end: &CallEnd) {
        match field {
            Field::BreakerState => {
                self.listed(field, end.breaker_state, &self.dimensions.breaker_states)
            }
            Field::Outcome => self.text(field, end.outcome.label()),
            Field::DurationUs => self.number(field, end.duration_us),
            Field::Attempts => self.number(field, u64::from(end.attempts)),
            Field::Cache => {
                if let Some(status) = end.cache {
                    self.text(field, status.label());
                }
            }
            Field::Hedged => self.flag(field, end.hedged),
            Field::HttpStatus => self.number(field, u64::from(end.http_status)),
            Field::RequestBytes => self.number(field, end.request_bytes),
            Field::ResponseBytes => self.number(field, end.response_bytes),
            Field::FaultClass => {
                self.listed(field, end.fault_class, &self.dimensions.fault_classes)
            }
            Field::FaultRule if !end.fault_rule.is_empty() => self.text(field, end.fault_rule),
            _ => {}
        }
    }

    fn push_selection(&mut self, field: Field, chain: usize, selection: &SelectionMade) {
        let dimensions = self.dimensions;
        let name = |upstream: &u16| {
            dimensions
                .upstream(chain, usize::from(*upstream))
                .map_or("", |found| &found.name)
        };
        match field {
            Field::Attempt => self.number(field, u64::from(selection.attempt)),
            Field::Strategy => self.listed(field, Some(selection.strategy), &dimensions.strategies),
            Field::Reason => self.text(field, selection.reason),
            Field::Candidates => {
                self.key(field);
                self.out.push('[');
                for (place, upstream) in selection.candidates.iter().enumerate() {
                    if place > 0 {
                        self.out.push(',');
                    }
                    push_json_string(self.out, name(upstream), MAX_FOREIGN_BYTES);
                }
                self.out.push(']');
            }
            Field::LeftOut => {
                self.key(field);
                self.out.push('{');
                for (place, (upstream, reason)) in selection.left_out.iter().enumerate() {
                    if place > 0 {
                        self.out.push(',');
                    }
                    push_json_string(self.out, name(upstream), MAX_FOREIGN_BYTES);
                    self.out.push(':');
                    let reason = dimensions
                        .exclusions
                        .get(usize::from(*reason))
                        .copied()
                        .unwrap_or("");
                    push_json_string(self.out, reason, MAX_FOREIGN_BYTES);
                }
                self.out.push('}');
            }
            _ => {}
        }
    }

    fn upstream_text(&mut self, field: Field, text: impl Fn(&crate::UpstreamDimension) -> &String) {
        let index = match self.event {
            Event::Start(_) => None,
            Event::End(_, end) => end.upstream,
            Event::Selection(_, selection) => selection.upstream,
        };
        let chain = usize::from(self.event.head().chain);
        if let Some(upstream) =
            index.and_then(|index| self.dimensions.upstream(chain, usize::from(index)))
        {
            self.text(field, text(upstream));
        }
    }

    /// A label by its index; nothing for no index or one without a label.
    fn listed(&mut self, field: Field, index: Option<impl Into<usize>>, labels: &[&'static str]) {
        if let Some(label) = index.and_then(|index| labels.get(index.into())) {
            self.text(field, label);
        }
    }

    fn text(&mut self, field: Field, value: &str) {
        self.key(field);
        push_json_string(self.out, value, MAX_FOREIGN_BYTES);
    }

    fn number(&mut self, field: Field, value: u64) {
        self.key(field);
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    fn flag(&mut self, field: Field, value: bool) {
        self.key(field);
        self.out.push_str(if value { "true" } else { "false" });
    }

    fn key(&mut self, field: Field) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        self.out.push('"');
        self.out.push_str(field.spec().name);
        self.out.push_str("\":");
    }
}
