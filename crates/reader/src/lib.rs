//! Words to a reading. The only crate that looks at words; one place ([`Model::shipped`]) knows
//! the model's file, which is `models/tactful-en.bin`, made by `training/`.
//!
//! A text goes through [`wordpiece`] (tokens), [`language`] (is it one that the model knows?),
//! the static table and the hashed n-grams of [`weights`], and the heads in [`model`].

pub mod wordpiece;
pub mod ngrams;
pub mod sentencepiece;
pub mod encoder;
mod matrix;
pub mod language;
pub mod weights;
pub mod model;

pub use encoder::Encoder;
pub use model::Model;
pub use weights::LoadError;
