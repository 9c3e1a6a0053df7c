//! `columns.toml` names every column of the live schema, and deleting an account empties what it
//! says is emptied.

use crate::engines::on_each;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    personal: bool,
    #[serde(default)]
    pub erased: bool,
    kept: Option<String>,
}

pub fn register() -> BTreeMap<String, BTreeMap<String, Column>> {
    toml::from_str(include_str!("../../columns.toml")).unwrap()
}

#[test]
fn every_column_of_the_live_schema_is_registered() {
    on_each(|fresh| {
        let live: BTreeMap<String, BTreeSet<String>> = fresh
            .store
            .columns()
            .unwrap()
            .into_iter()
            .map(|(table, columns)| (table, columns.into_iter().collect()))
            .collect();
        let registered = register()
            .into_iter()
            .map(|(table, columns)| (table, columns.into_keys().collect()))
            .collect();
        assert_eq!(live, registered, "{}", fresh.engine);
    });
}

#[test]
fn what_is_personal_is_erased_or_says_why_not() {
    for (table, columns) in register() {
        for (name, column) in columns {
            let said = column.erased || column.kept.is_some();
            assert!(said || !column.personal, "{table}.{name}");
            assert!(!(column.erased && column.kept.is_some()), "{table}.{name}");
        }
    }
}

#[test]
fn no_column_is_for_words_names_or_outside_ids() {
    const NEVER: [&str; 9] =
        ["text", "words", "message", "name_of", "email", "phone", "user_id", "title", "handle"];
    for (table, columns) in register() {
        for name in columns.keys() {
            assert!(!NEVER.iter().any(|never| name.contains(never)), "{table}.{name}");
        }
    }
}

/// The tables that deleting an account empties are those whose columns say so: read from the
/// statements' own source, so that a new table cannot be forgotten.
#[test]
fn every_table_with_an_account_is_named_by_the_deletion() {
    let source = include_str!("../../src/commit.rs");
    for (table, columns) in register() {
        if columns.get("account").is_some_and(|column| column.erased) {
            assert!(source.contains(&format!("DELETE FROM {table} WHERE")), "{table}");
        }
    }
}
