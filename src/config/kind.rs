//! The kinds of values that keys have: how each is read, what it must be, and its JSON Schema, in
//! one place. Never a rule between two keys: those are in [`crate::validate`].

mod amount;
mod number;
mod place;
mod word;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

pub(crate) use amount::{Amount, Money};
pub(crate) use number::{CacheSize, Fraction, Share, Size, Span, Ttl, Whole};
pub(crate) use place::{Address, AdminAddress, FilePath, LogTarget, SecretText, WebOrigin};
pub(crate) use word::{
    HeaderName, NAME_RULE, Name, PATTERN_RULE, Pattern, ServerName, is_header_name, is_name,
};

use crate::read::{At, Named, Read, Reader};
use crate::tree::Node;

/// Declares a section: a mapping with fixed keys. From one declaration come the type, its reader
/// (unknown and missing keys are told), its JSON Schema and the reference page.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $section:ident { $( $(#[doc = $text:literal])+ $need:ident $key:ident: $kind:ty, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Default)]
        pub(crate) struct $section {
            $( $(#[doc = $text])+ pub(crate) $key: Option<$crate::read::At<$kind>>, )+
        }

        impl $section {
            /// Each key, and whether it must be given.
            const KEYS: &'static [(&'static str, bool)] =
                &[ $( (stringify!($key), $crate::kind::is_required(stringify!($need))) ),+ ];
        }

        impl $crate::read::Read for $section {
            const IS_SWITCH: bool = $crate::kind::has_switch(Self::KEYS);

            fn read(node: &$crate::tree::Node, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                let entries = reader.section(node, Self::KEYS)?;
                Some(Self { $( $key: reader.field(entries, stringify!($key)), )+ })
            }
        }

        impl schemars::JsonSchema for $section {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($section).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut section = $crate::kind::SectionSchema::new(concat!($($about),+));
                $( section.key(
                    stringify!($key),
                    $crate::kind::is_required(stringify!($need)),
                    concat!($($text),+),
                    generator.subschema_for::<$kind>(),
                ); )+
                section.finish()
            }
        }
    };
}
pub(crate) use section;

/// Whether a section's first key switches the whole of it.
pub(crate) const fn has_switch(keys: &[(&str, bool)]) -> bool {
    matches!(keys.first(), Some((key, _)) if matches!(key.as_bytes(), b"enabled"))
}

/// Whether a key declared as `required` or `optional` must be given.
pub(crate) const fn is_required(need: &str) -> bool {
    matches!(need.as_bytes(), b"required")
}

/// The schema of a section while its keys are added.
pub(crate) struct SectionSchema {
    about: String,
    properties: serde_json::Map<String, serde_json::Value>,
    required: Vec<&'static str>,
}

impl SectionSchema {
    pub(crate) fn new(about: &str) -> Self {
        Self {
            about: about.trim().to_owned(),
            properties: serde_json::Map::new(),
            required: Vec::new(),
        }
    }

    pub(crate) fn key(&mut self, key: &'static str, required: bool, about: &str, kind: Schema) {
        let mut schema = kind;
        // The sentence on the key stands before the one on its kind.
        let of_kind = schema.remove("description");
        let about = match of_kind.as_ref().and_then(serde_json::Value::as_str) {
            Some(of_kind) => format!("{} {of_kind}", about.trim()),
            None => about.trim().to_owned(),
        };
        schema.insert("description".to_owned(), about.into());
        self.properties.insert(key.to_owned(), schema.into());
        if required {
            self.required.push(key);
        }
    }

    pub(crate) fn finish(self) -> Schema {
        json_schema!({
            "type": "object",
            "description": self.about,
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": inner })
    }
}

impl Read for bool {
    const IS_SWITCH: bool = true;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.public(
            node,
            "`true` or `false`",
            "`true` or `false`",
            crate::scalar::parse_flag,
        )
    }
}

/// Implements `JsonSchema` for a kind whose schema is written where it is used.
macro_rules! inline_schema {
    ($kind:ty, $schema:expr) => {
        impl schemars::JsonSchema for $kind {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}
pub(crate) use inline_schema;
