//! A set of methods of the standard table, one bit each. It knows no pattern and no name.

use crate::method::MethodId;

const METHOD_WORDS: usize = MethodId::COUNT.div_ceil(64);

/// A set of methods of the standard table. [`MethodId::OTHER`] is never in it: what a pattern says about unknown names comes with
/// each request, as [`Request::excluded`](crate::call::Request::excluded).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodSet([u64; METHOD_WORDS]);

impl MethodSet {
    /// The empty set.
    pub const EMPTY: Self = Self([0; METHOD_WORDS]);

    /// Is no method in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// Takes one out, if there is any.
    pub fn pop(&mut self) -> Option<MethodId> {
        let words = self.0.iter_mut().enumerate();
        let (position, word) = words.into_iter().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some(MethodId(position as u16 * 64 + bit as u16))
    }

    /// Adds a method; [`MethodId::OTHER`] is ignored.
    pub fn insert(&mut self, method: MethodId) {
        if let Some(word) = Self::word(method).and_then(|word| self.0.get_mut(word)) {
            *word |= 1 << (method.0 % 64);
        }
    }

    /// Is it in the set?
    #[must_use]
    pub fn contains(&self, method: MethodId) -> bool {
        Self::word(method)
            .and_then(|word| self.0.get(word))
            .is_some_and(|word| word & (1 << (method.0 % 64)) != 0)
    }

    fn word(method: MethodId) -> Option<usize> {
        (method != MethodId::OTHER).then_some(usize::from(method.0 / 64))
    }
}

impl FromIterator<MethodId> for MethodSet {
    fn from_iter<I: IntoIterator<Item = MethodId>>(methods: I) -> Self {
        let mut set = Self::EMPTY;
        for method in methods {
            set.insert(method);
        }
        set
    }
}
