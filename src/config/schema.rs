//! The JSON Schema (draft 2020-12) of a configuration file, for editors and CI. It comes from the
//! same declarations as the reader, its defaults from the validated model.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::catalog::{OptionDescription, OptionKind, StrategyCatalog};
use crate::file::File;
use crate::model::{Chain, Config, Geo, Hedge, Period, Upstream, UpstreamUrl};
use crate::strategy::{default_setting, expectation, show};

/// The schema, with the strategies of `catalog`.
#[must_use]
pub fn schema(catalog: &StrategyCatalog) -> Value {
    let generator = SchemaGenerator::from(SchemaSettings::draft2020_12());
    let mut root = Value::from(generator.into_root_schema_for::<File>());
    let mut sections = root.get_mut("$defs").map(Value::take).unwrap_or_default();
    fill_defaults(&mut root, &mut sections, catalog);
    for section in sections
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut)
    {
        admit_references(section);
    }
    if let Some(map) = sections.as_object_mut() {
        map.insert("Strategy".to_owned(), strategy(catalog));
    }
    if let Some(upstream) = sections.get_mut("Upstream").and_then(Value::as_object_mut) {
        upstream.insert(
            "oneOf".to_owned(),
            json!([{ "required": ["http"] }, { "required": ["http_file"] }]),
        );
    }
    if let Some(root) = root.as_object_mut() {
        root.insert("title".to_owned(), json!("Livechain configuration"));
        root.insert("patternProperties".to_owned(), json!({ "^x-": true }));
        root.insert("$defs".to_owned(), sections);
    }
    root
}

/// Writes the model's defaults beside the keys.
fn fill_defaults(root: &mut Value, sections: &mut Value, catalog: &StrategyCatalog) {
    let Ok(url) = UpstreamUrl::parse("https://localhost") else {
        return;
    };
    let upstreams = vec![Upstream::new("default", url)];
    let strategy = catalog.default_strategy();
    let chain = Chain {
        strategy,
        ..Chain::new("default", None, upstreams)
    };
    let defaults = Config::of_chains(vec![chain]).to_json();
    let chain = defaults
        .pointer("/chains/default")
        .cloned()
        .unwrap_or_default();
    let upstream = chain.pointer("/upstreams/0").cloned().unwrap_or_default();
    fill(root, sections, &defaults);
    let hedge = crate::dump::hedge(&Hedge::default().into());
    let geo = crate::dump::geo(&Geo::default());
    let included = json!({ "per": Period::Month.word() });
    let sections_with_defaults = [
        ("Chain", &chain),
        ("Upstream", &upstream),
        ("HedgeRule", &hedge),
        ("Geo", &geo),
        ("Included", &included),
    ];
    for (name, values) in sections_with_defaults {
        if let Some(mut section) = sections.get_mut(name).map(Value::take) {
            fill(&mut section, sections, values);
            if let Some(slot) = sections.get_mut(name) {
                *slot = section;
            }
        }
    }
}

/// Keys whose value in the defaults above is a stand-in.
const WITHOUT_DEFAULT: [&str; 7] = [
    "version",
    "chains",
    "upstreams",
    "name",
    "provider",
    "http",
    "chain_id",
];

/// Sections whose keys are the process's where they are not given.
const INHERITED: [&str; 2] = ["ChainCache", "ChainCoalesce"];

fn fill(section: &mut Value, sections: &mut Value, defaults: &Value) {
    let Some(keys) = section.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (key, schema) in keys {
        let Some(default) = defaults
            .get(key)
            .filter(|_| !WITHOUT_DEFAULT.contains(&key.as_str()))
        else {
            continue;
        };
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|path| path.strip_prefix("#/$defs/"));
        if target.is_some_and(|name| INHERITED.contains(&name)) {
            continue;
        }
        if let Some(name) = target.map(str::to_owned)
            && default.is_object()
            && let Some(mut inner) = sections.get_mut(&name).map(Value::take)
        {
            fill(&mut inner, sections, default);
            if let Some(slot) = sections.get_mut(&name) {
                *slot = inner;
            }
        } else if let Some(schema) = schema.as_object_mut() {
            schema.insert("default".to_owned(), default.clone());
        }
    }
}

/// What a scalar may be instead: a reference to a variable.
const REFERENCE: &str = r"\$\{";

/// Lets each scalar also be a text with `${…}`: what it stands for is only known when it is loaded.
fn admit_references(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(admit_references),
        Value::Object(map) if map.contains_key("enum") => {
            map.remove("type");
            let words = map.remove("enum");
            let reference = json!({ "type": "string", "pattern": REFERENCE });
            map.insert("anyOf".to_owned(), json!([{ "enum": words }, reference]));
        }
        Value::Object(map) => {
            admit_reference(map);
            let nested =
                |key: &str| !matches!(key, "default" | "description" | "type" | "required");
            map.iter_mut()
                .filter(|(key, _)| nested(key))
                .for_each(|(_, value)| admit_references(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn admit_reference(map: &mut Map<String, Value>) {
    if let Some(pattern) = map.get("pattern").and_then(Value::as_str) {
        let pattern = format!("({pattern})|{REFERENCE}");
        map.insert("pattern".to_owned(), json!(pattern));
    } else if let Some(kind @ ("integer" | "number" | "boolean")) =
        map.get("type").and_then(Value::as_str)
    {
        let kinds = json!([kind, "string"]);
        map.insert("type".to_owned(), kinds);
        map.insert("pattern".to_owned(), json!(REFERENCE));
    }
}

fn strategy(catalog: &StrategyCatalog) -> Value {
    let names: Vec<&str> = catalog.names().collect();
    let each = catalog.strategies.iter().map(|strategy| {
        let mut keys = Map::from_iter([("name".to_owned(), json!({ "const": strategy.name, "description": strategy.about }))]);
        for each in catalog.beneath(strategy).flat_map(|inner| &inner.options).chain(&strategy.options) {
            keys.insert(each.name.to_owned(), option(each));
        }
        json!({ "type": "object", "properties": keys, "required": ["name"], "additionalProperties": false })
    });
    let mut forms = vec![
        json!({ "enum": names }),
        json!({ "type": "string", "pattern": REFERENCE }),
    ];
    forms.extend(each);
    json!({ "description": "How eligible upstreams are ordered: a name, or `{ name: …, option: … }`.", "anyOf": forms })
}

fn option(option: &OptionDescription) -> Value {
    let kind = match option.kind {
        OptionKind::Flag { .. } => json!({ "type": "boolean" }),
        OptionKind::Integer { min, max, .. } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        OptionKind::Word { words, .. } => json!({ "enum": words }),
        OptionKind::Share { .. } | OptionKind::Duration { .. } => {
            json!({ "type": ["string", "number"] })
        }
    };
    let mut schema = kind;
    admit_references(&mut schema);
    if let Some(map) = schema.as_object_mut() {
        let expected = expectation(&option.kind);
        map.insert(
            "description".to_owned(),
            json!(format!("{} It is {expected}.", option.about)),
        );
        map.insert(
            "default".to_owned(),
            json!(show(&default_setting(&option.kind))),
        );
    }
    schema
}
