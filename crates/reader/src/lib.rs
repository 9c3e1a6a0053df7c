//! Words to a reading. The only crate that looks at words; one place ([`Model::shipped`]) knows
//! the model's file, which is `models/tactful.bin`, made by `training/`.
//!
//! A text goes through [`normal`] (disguises undone), the fast path (tokens of [`wordpiece`], a table, hashed [`ngrams`]),
//! [`language`] (is it one that the model knows?) and, where the fast path is in doubt, the sentence [`encoder`];
//! [`model`] puts them together, `heads` says what comes out.

pub mod normal;
pub mod wordpiece;
pub mod ngrams;
pub mod sentencepiece;
pub mod encoder;
mod matrix;
mod heads;
mod fast;
mod dislike;
pub mod language;
pub mod weights;
pub mod model;

pub use encoder::Encoder;
pub use model::Model;
pub use weights::LoadError;
