//! Configuration: text to file model to validated model, with every problem's place and remedy.
