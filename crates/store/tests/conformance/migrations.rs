//! A store that an earlier version made is brought up, and keeps what it held; one of a later version
//! is refused.

use crate::engines::taxonomy;
use tactful_store::Store;

const FIRST: &str = include_str!("../../migrations/0001_facts.sql");

fn made_by(schema: &str, folder: &std::path::Path) -> String {
    let location = folder.join("t.sqlite").to_str().unwrap().to_owned();
    let connection = rusqlite::Connection::open(&location).unwrap();
    connection.execute_batch(FIRST).unwrap();
    let insert = "INSERT INTO meta (name, value) VALUES ('schema', ?1), ('policy', 'kept')";
    connection.execute(insert, [schema]).unwrap();
    let charges = "INSERT INTO charge (slot, campaign, micros, at) VALUES ('a', 'c', 40, 1), \
        ('b', 'c', 2, 2), ('c', 'c', 5, 86400000001)";
    connection.execute_batch(charges).unwrap();
    location
}

#[test]
fn an_earlier_store_is_brought_up_and_a_later_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let location = made_by("1", folder.path());
    let mut store = Store::open(&location, taxonomy()).unwrap();
    assert_eq!(store.note("policy").unwrap().as_deref(), Some("kept"));
    assert!(store.columns().unwrap().contains_key("delivery"));
    assert_eq!(store.spent_by_day().unwrap()["c"], [(0, 42), (1, 5)]);
    // Once more: there is nothing left to do.
    let mut store = Store::open(&location, taxonomy()).unwrap();
    assert_eq!(store.note("schema").unwrap().as_deref(), Some("3"));
    for schema in ["4", "x"] {
        let folder = tempfile::tempdir().unwrap();
        let refused = Store::open(&made_by(schema, folder.path()), taxonomy());
        assert!(refused.err().unwrap().to_string().contains(schema));
    }
}
