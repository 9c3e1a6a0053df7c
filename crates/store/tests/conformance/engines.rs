//! Both engines, fresh. PostgreSQL is the server that `TACTFUL_TEST_POSTGRES` names (scripts/test
//! starts one); without it the PostgreSQL half says that it was left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tactful_core::taxonomy::Taxonomy;
use tactful_store::Store;

/// A fresh store, and what keeps it alive.
pub struct Fresh {
    /// The store.
    pub store: Store,
    /// Which engine it is.
    pub engine: &'static str,
    location: String,
    taxonomy: Arc<Taxonomy>,
    _folder: Option<tempfile::TempDir>,
}

impl Fresh {
    /// Another connection to the same rows.
    pub fn again(&self) -> Store {
        Store::open(&self.location, Arc::clone(&self.taxonomy)).unwrap()
    }
}

pub fn taxonomy() -> Arc<Taxonomy> {
    let text = include_str!("../../../../taxonomy/interests.tsv");
    Arc::new(Taxonomy::parse(text).unwrap())
}

/// Runs a test on a fresh store of each engine.
pub fn on_each(test: impl Fn(&mut Fresh)) {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("t.sqlite").to_str().unwrap().to_owned();
    let store = Store::open(&location, taxonomy()).unwrap();
    let taxonomy = taxonomy();
    test(&mut Fresh { store, engine: "sqlite", location, taxonomy, _folder: Some(folder) });
    match std::env::var("TACTFUL_TEST_POSTGRES") {
        Ok(url) => test(&mut postgresql(&url)),
        Err(_) => eprintln!("PostgreSQL left out: TACTFUL_TEST_POSTGRES is not set"),
    }
}

/// A schema of its own in the server's database.
fn postgresql(url: &str) -> Fresh {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let schema = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
    client.batch_execute(&format!("CREATE SCHEMA {schema}")).unwrap();
    let join = if url.contains('?') { '&' } else { '?' };
    let location = format!("{url}{join}options=-csearch_path%3D{schema}");
    let store = Store::open(&location, taxonomy()).unwrap();
    Fresh { store, engine: "postgresql", location, taxonomy: taxonomy(), _folder: None }
}
