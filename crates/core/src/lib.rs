//! Tactful's pure core: the way of a turn, in the order in which the data travels.
//!
//! [`chat`] → [`policy`] → [`gate`] → [`reading`] → [`firewall`] → [`ledger`] → [`profile`] →
//! [`ranking`]
//!
//! Each stage takes the value that only the stage before it can make, so a path round the gate
//! or the firewall does not compile:
//!
//! ```compile_fail,E0308
//! use tactful_core::{chat::Turn, firewall, policy::Policy, reading::Reader};
//! fn skip_the_gate(reader: &impl Reader, turn: Turn) {
//!     let _ = firewall::screen(reader, turn); // a `Turn` is not an `Admitted`
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use tactful_core::{chat::Facts, gate::Admitted, ledger, reading::ModelId};
//! fn skip_the_firewall(turn: Admitted<Facts>, model: ModelId) {
//!     let _ = ledger::contributions(turn, model); // an `Admitted` is not a `Cleared`
//! }
//! ```
//!
//! What was said cannot be printed, copied out of the chain or stored:
//!
//! ```compile_fail,E0599
//! fn print(words: tactful_core::chat::Words) -> String {
//!     words.to_string() // no Display
//! }
//! ```
//!
//! ```compile_fail,E0277
//! fn debug(words: tactful_core::chat::Words) -> String {
//!     format!("{words:?}") // no Debug
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn keep_a_copy(words: tactful_core::chat::Words) -> (tactful_core::chat::Words, tactful_core::chat::Words) {
//!     (words.clone(), words) // no Clone
//! }
//! ```

pub mod chat;
pub mod taxonomy;
pub mod policy;
pub mod standing;
pub mod gate;
pub mod reading;
pub mod firewall;
pub mod ledger;
pub mod linking;
pub mod profile;
pub mod ranking;

use chat::{Tag, Turn};
use firewall::Stop;
use gate::Refusal;
use ledger::Contribution;
use policy::{Policy, Scope};
use reading::Reader;
use standing::Standing;

/// What became of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The policy did not let it in; nobody read it. Nothing is kept but a count.
    Refused(Refusal),
    /// The firewall stopped it. Nothing is kept but a count and, where the policy shuts whole
    /// conversations, the seal on this one.
    Stopped {
        /// Why, for the count. It does not say which subject.
        why: Stop,
        /// The conversation to seal, if it has to be.
        seal: Option<Tag>,
    },
    /// Rows to record; none, when it said nothing of interest.
    Learned(Vec<Contribution>),
}

/// The whole way in of one turn. The only effect is the reader's reading.
pub fn digest(policy: &Policy, standing: &Standing, reader: &impl Reader, turn: Turn) -> Outcome {
    let admitted = match gate::admit(policy, standing, turn) {
        Ok(admitted) => admitted,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let conversation = admitted.facts().conversation;
    match firewall::screen(reader, admitted) {
        Ok(cleared) => Outcome::Learned(ledger::contributions(cleared, reader.model())),
        Err(why) => {
            let seal = (why.shuts() && policy.scope == Scope::Conversation).then_some(conversation);
            Outcome::Stopped { why, seal }
        }
    }
}
