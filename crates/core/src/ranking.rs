//! From a profile and an inventory to a slate, in the order of these modules: what there is
//! ([`item`], [`inventory`]), what comes into question ([`index`]), what may not be shown
//! ([`exclude`]), how good the rest is ([`score`]), who pays what ([`auction`]), that not all is
//! alike ([`diversity`]), and what is shown and why ([`slate`]).

pub mod place;
pub mod item;
pub mod index;
pub mod inventory;
pub mod exclude;
pub mod score;
pub mod auction;
pub mod diversity;
pub mod slate;
