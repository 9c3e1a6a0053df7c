//! The same behaviours on SQLite and on PostgreSQL.

use crate::engines::on_each;
use jiff::Timestamp;
use tactful_core::chat::{Modality, Name, Region, Tag};
use tactful_core::ledger::{Contribution, Deletion, Source};
use tactful_core::policy::{CrossPlatform, Policy, PolicyId};
use tactful_core::reading::{ModelId, Stage, Weight};
use tactful_core::standing::{
    About, AccountFact, Channel, NoticeFact, PreferenceFact, Taste, Wish,
};
use tactful_core::taxonomy::Interest;
use tactful_store::batch::{Batch, Position, Seal};
use tactful_store::inventory::{Shown, StoredItem};
use tactful_store::notices::Delivery;
use tactful_store::{ROWS_PER_ACCOUNT, Store};

fn policy() -> Policy {
    Policy::parse(include_str!("../../../../policies/announced-2025-12-16.toml")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_000_000 + second).unwrap()
}

/// Tags of which the shard differs by account.
fn account(n: u128) -> Tag {
    Tag(n << 116 | n)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn row(of: Tag, event: u128, interest: u16, conversation: u128, second: i64) -> Contribution {
    Contribution {
        account: of,
        source: Source::Chat,
        event: Tag(event * 2 + 1),
        interest: Interest(interest),
        conversation: Tag(conversation),
        weight: Weight(700),
        stage: Stage::Doing,
        at: at(second),
        platform: name("whatsapp"),
        product: name("assistant"),
        modality: Modality::Voice,
        policy: PolicyId(u64::MAX - 3),
        model: ModelId(5),
    }
}

fn rows(store: &mut Store, batch: Vec<Contribution>) {
    store.commit(&Batch { contributions: batch, ..Batch::default() }, &policy()).unwrap();
}

#[test]
fn a_row_comes_back_as_it_went_in_and_counts_once() {
    on_each(|fresh| {
        let one = row(account(1), 1, 0, 9, 0);
        rows(&mut fresh.store, vec![one, one]);
        rows(&mut fresh.store, vec![one]);
        assert_eq!(fresh.store.rows(account(1)).unwrap(), [one], "{}", fresh.engine);
        assert_eq!(fresh.again().rows(account(1)).unwrap(), [one], "{}", fresh.engine);
    });
}

#[test]
fn of_two_versions_the_same_stays_in_any_order() {
    on_each(|fresh| {
        let low = row(account(1), 1, 0, 9, 0);
        let high = Contribution { weight: Weight(900), ..low };
        rows(&mut fresh.store, vec![low, high]);
        rows(&mut fresh.store, vec![Contribution { account: account(2), ..high }]);
        rows(&mut fresh.store, vec![Contribution { account: account(2), ..low }]);
        for who in [1, 2] {
            let kept = fresh.store.rows(account(who)).unwrap();
            assert_eq!(kept[0].weight, Weight(900), "{}", fresh.engine);
        }
    });
}

#[test]
fn a_seal_takes_what_was_there_and_lets_nothing_in_after() {
    on_each(|fresh| {
        let other = row(account(1), 3, 0, 8, 0);
        rows(&mut fresh.store, vec![row(account(1), 1, 0, 9, 0), other]);
        let seal = Seal { account: account(1), conversation: Tag(9), expires: at(100) };
        fresh.store.commit(&Batch { seals: vec![seal], ..Batch::default() }, &policy()).unwrap();
        rows(&mut fresh.store, vec![row(account(1), 2, 3, 9, 50)]);
        assert_eq!(fresh.store.rows(account(1)).unwrap(), [other], "{}", fresh.engine);
        let shut = fresh.store.shut([(account(1), Tag(9)), (account(1), Tag(8))]).unwrap();
        assert_eq!(shut, [Tag(9)].into(), "{}", fresh.engine);
    });
}

#[test]
fn what_was_taken_back_stays_away_and_what_comes_after_counts() {
    on_each(|fresh| {
        for (what, gone) in [
            (Deletion::Conversation(Tag(9)), 1),
            (Deletion::Event(Tag(3)), 1),
            (Deletion::Interest(Interest(0)), 1),
            (Deletion::Account, 2),
        ] {
            let who = account(10 + gone + what_number(what));
            let (a, b) = (row(who, 1, 0, 9, 0), row(who, 2, 3, 8, 0));
            rows(&mut fresh.store, vec![a, b]);
            let deletions = vec![(who, what, at(10))];
            fresh.store.commit(&Batch { deletions, ..Batch::default() }, &policy()).unwrap();
            rows(&mut fresh.store, vec![a]);
            let left = fresh.store.rows(who).unwrap().len() as u128;
            assert_eq!(left, 2 - gone, "{} {what:?}", fresh.engine);
            rows(&mut fresh.store, vec![Contribution { at: at(11), ..a }]);
            let left = fresh.store.rows(who).unwrap().len() as u128;
            assert_eq!(left, 3 - gone, "{} {what:?}", fresh.engine);
        }
    });
}

fn what_number(what: Deletion) -> u128 {
    match what {
        Deletion::Account => 100,
        Deletion::Conversation(_) => 200,
        Deletion::Event(_) => 300,
        Deletion::Interest(_) => 400,
    }
}

#[test]
fn what_is_known_of_an_account_comes_back_once() {
    on_each(|fresh| {
        let fact = AccountFact {
            at: at(0),
            region: Region::new("US"),
            language: Some("en".to_owned()),
            birth_date: "1990-05-17".parse().ok(),
            likely_minor: Some(false),
        };
        let notice = NoticeFact {
            delivered: at(1),
            notice: "n".to_owned(),
            version: "1".to_owned(),
            channel: Channel::Email,
        };
        let batch = Batch {
            facts: vec![(account(1), name("whatsapp"), fact.clone())],
            notices: vec![(account(1), notice.clone())],
            choices: vec![(account(1), at(2), Wish::Out)],
            ..Batch::default()
        };
        fresh.store.commit(&batch, &policy()).unwrap();
        fresh.store.commit(&batch, &policy()).unwrap();
        let history = fresh.store.history(account(1)).unwrap();
        assert_eq!(history.facts, [fact], "{}", fresh.engine);
        assert_eq!(history.notices, [notice], "{}", fresh.engine);
        assert_eq!(history.choices, [(at(2), Wish::Out)], "{}", fresh.engine);
    });
}

#[test]
fn a_fact_that_comes_late_takes_out_what_it_forbids() {
    on_each(|fresh| {
        rows(&mut fresh.store, vec![row(account(1), 1, 0, 9, 10)]);
        let moved = AccountFact { at: at(0), region: Region::new("DE"), ..AccountFact::default() };
        let facts = vec![(account(1), name("whatsapp"), moved)];
        fresh.store.commit(&Batch { facts, ..Batch::default() }, &policy()).unwrap();
        assert!(fresh.store.rows(account(1)).unwrap().is_empty(), "{}", fresh.engine);
    });
}

#[test]
fn linked_accounts_are_one_person_until_one_leaves() {
    on_each(|fresh| {
        let of = |n| (account(n), name("facebook"));
        let links =
            vec![(Tag(70), at(0), vec![of(1), of(2)]), (Tag(71), at(5), vec![of(2), of(3)])];
        let unlinks = vec![(account(2), at(20))];
        fresh.store.commit(&Batch { links, unlinks, ..Batch::default() }, &policy()).unwrap();
        let mut linked = |n, second| {
            fresh.store.linked(account(n), at(second), CrossPlatform::Linked).unwrap().len()
        };
        assert_eq!((linked(1, 3), linked(1, 10), linked(3, 10), linked(1, 30)), (2, 3, 3, 1));
        let alone = fresh.store.linked(account(1), at(10), CrossPlatform::Never).unwrap();
        assert_eq!(alone.len(), 1, "{}", fresh.engine);
    });
}

/// Ten thousand links in a ring, as a bad or hostile log may hold.
#[test]
fn a_ring_of_ten_thousand_links_is_one_person() {
    on_each(|fresh| {
        let n = 10_000;
        let of = |i: u128| (account(i % n + 1), name("facebook"));
        let links = (0..n).map(|i| (Tag(1 << 100 | i), at(0), vec![of(i), of(i + 1)])).collect();
        fresh.store.commit(&Batch { links, ..Batch::default() }, &policy()).unwrap();
        let linked = fresh.store.linked(account(5), at(1), CrossPlatform::Linked).unwrap();
        assert_eq!(linked.len() as u128, n, "{}", fresh.engine);
    });
}

#[test]
fn a_person_takes_a_bounded_number_of_rows() {
    on_each(|fresh| {
        let many = 5 * ROWS_PER_ACCOUNT as u128;
        let row = |n: u128| Contribution {
            event: Tag(n),
            ..row(account(1), 0, 0, 9, i64::try_from(n).unwrap())
        };
        rows(&mut fresh.store, (0..many).map(row).collect());
        let kept = fresh.store.rows(account(1)).unwrap();
        assert_eq!(kept.len(), ROWS_PER_ACCOUNT, "{}", fresh.engine);
        assert_eq!(kept[0].event, Tag(many - 1), "the newest are kept");
        assert!(
            fresh.store.sweep(at(86_400 * 400), 365).unwrap()["contribution"] < many as u64 / 2
        );
    });
}

#[test]
fn counts_and_positions_go_on_where_they_were() {
    on_each(|fresh| {
        let position = Position { log: Tag(3), position: 77, complete: false };
        let counts = [("used", 2)].into();
        let batch = Batch { counts, position: Some(position), ..Batch::default() };
        fresh.store.commit(&batch, &policy()).unwrap();
        fresh.store.commit(&batch, &policy()).unwrap();
        assert_eq!(fresh.store.counters().unwrap()["used"], 4, "{}", fresh.engine);
        assert_eq!(fresh.again().position(Tag(3)).unwrap(), Some(position), "{}", fresh.engine);
        assert_eq!(fresh.store.position(Tag(4)).unwrap(), None, "{}", fresh.engine);
    });
}

#[test]
fn items_are_replaced_and_slots_are_charged_once() {
    on_each(|fresh| {
        let item = |body: &str| StoredItem {
            item: "i".to_owned(),
            body: body.to_owned(),
            found: vec![(Interest(3), Weight(800), Stage::Buying)],
        };
        fresh.store.put_items(&[item("a"), item("b")]).unwrap();
        assert_eq!(fresh.store.items().unwrap(), [item("b")], "{}", fresh.engine);
        let shown = Shown {
            account: account(1),
            slot: Tag(1),
            item: "i".to_owned(),
            at: at(5),
            charge: Some(("c".to_owned(), 40)),
        };
        fresh.store.show(&[shown.clone(), shown.clone()]).unwrap();
        fresh.store.show(&[shown]).unwrap();
        assert_eq!(fresh.store.spent().unwrap()["c"], 40, "{}", fresh.engine);
        let seen = fresh.store.shown_since([account(1)], at(0)).unwrap();
        assert_eq!(seen, [("i".to_owned(), at(5))], "{}", fresh.engine);
    });
}

/// Two writers at once, one that seals and one that learns: in whatever order they commit, nothing
/// of the conversation is seen.
#[test]
fn a_seal_holds_against_a_writer_beside_it() {
    on_each(|fresh| {
        for round in 0..20u128 {
            let (mut one, mut two) = (fresh.again(), fresh.again());
            let learn = row(account(1), round, 0, 50 + round, 0);
            let seal = Seal { account: account(1), conversation: Tag(50 + round), expires: at(9) };
            std::thread::scope(|scope| {
                scope.spawn(move || rows(&mut one, vec![learn]));
                scope.spawn(move || {
                    two.commit(&Batch { seals: vec![seal], ..Batch::default() }, &policy())
                        .unwrap();
                });
            });
        }
        assert!(fresh.store.rows(account(1)).unwrap().is_empty(), "{}", fresh.engine);
    });
}

#[test]
fn a_note_is_swapped_for_the_one_before() {
    on_each(|fresh| {
        let store = &mut fresh.store;
        assert_eq!(store.swap_note("when", "first").unwrap(), None);
        assert_eq!(store.swap_note("when", "second").unwrap().as_deref(), Some("first"));
        assert_eq!(store.note("when").unwrap().as_deref(), Some("second"));
    });
}

/// A backup, and the store as it went on: what was taken back there goes here too.
#[test]
fn what_was_taken_back_after_a_backup_is_taken_back_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let location = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let taxonomy = crate::engines::taxonomy;
    let mut later = Store::open(&location("later"), taxonomy()).unwrap();
    let fact = AccountFact { at: at(0), ..AccountFact::default() };
    let facts = [1, 2].map(|n| (account(n), name("whatsapp"), fact.clone()));
    later.commit(&Batch { facts: facts.to_vec(), ..Batch::default() }, &policy()).unwrap();
    let kept = [row(account(1), 1, 0, 9, 0), row(account(1), 5, 3, 12, 0)];
    let gone = [
        row(account(1), 2, 1, 9, 0),  // Its interest.
        row(account(1), 3, 2, 10, 0), // Its conversation was shut.
        row(account(1), 4, 2, 40, 0), // Its conversation was deleted.
        row(account(2), 1, 0, 9, 0),  // Its account.
    ];
    let links = vec![(Tag(78), at(0), [1, 3].map(|n| (account(n), name("whatsapp"))).to_vec())];
    later.commit(&Batch { links, ..Batch::default() }, &policy()).unwrap();
    fill(&mut later, account(2));
    rows(&mut later, [&kept[..], &gone[..]].concat());
    later.back_up(&location("backup")).unwrap();
    for (table, count) in held(&location("backup"), account(2)) {
        assert!(count > 0, "nothing in {table} to be deleted");
    }
    let choices = vec![(account(1), at(2), Wish::Out)];
    let deletions = vec![
        (account(1), Deletion::Interest(Interest(1)), at(3)),
        (account(1), Deletion::Conversation(Tag(40)), at(3)),
        (account(2), Deletion::Account, at(3)),
    ];
    let seals = vec![Seal { account: account(1), conversation: Tag(10), expires: at(9) }];
    let about = About::Advertiser("a".to_owned());
    let never = PreferenceFact { at: at(2), about, taste: Taste::Never };
    let since = Batch {
        choices: choices.clone(),
        preferences: vec![(account(1), name("whatsapp"), never.clone())],
        unlinks: vec![(account(1), at(2))],
        deletions,
        seals,
        ..Batch::default()
    };
    later.commit(&since, &policy()).unwrap();
    let mut restored = Store::open(&location("backup"), taxonomy()).unwrap();
    assert_eq!(restored.rows(account(1)).unwrap().len(), 5);
    assert_eq!(restored.linked(account(1), at(3), CrossPlatform::Linked).unwrap().len(), 2);
    restored.take_over(&location("later")).unwrap();
    assert_eq!(restored.rows(account(1)).unwrap(), kept);
    assert_eq!(restored.history(account(1)).unwrap().choices, [(at(2), Wish::Out)]);
    assert_eq!(restored.history(account(1)).unwrap().preferences, [never]);
    assert_eq!(restored.linked(account(1), at(3), CrossPlatform::Linked).unwrap().len(), 1);
    assert!(restored.rows(account(2)).unwrap().is_empty());
    assert_eq!(restored.accounts().unwrap(), [account(1), account(3)].into());
    for (table, count) in held(&location("backup"), account(2)) {
        assert_eq!(count, 0, "{table}");
    }
    // And what comes late stays out.
    rows(&mut restored, gone.to_vec());
    assert_eq!(restored.rows(account(1)).unwrap(), kept);
}

/// Something of an account in every table that has an account.
fn fill(store: &mut Store, of: Tag) {
    let (notice, version) = ("n".to_owned(), "1".to_owned());
    let told = NoticeFact {
        delivered: at(1),
        notice: notice.clone(),
        version: version.clone(),
        channel: Channel::Email,
    };
    let about = About::Advertiser("a".to_owned());
    let preference = PreferenceFact { at: at(1), about, taste: Taste::Less };
    let batch = Batch {
        notices: vec![(of, told)],
        choices: vec![(of, at(1), Wish::In)],
        preferences: vec![(of, name("whatsapp"), preference)],
        links: vec![(Tag(77), at(1), vec![(of, name("whatsapp"))])],
        unlinks: vec![(of, at(2))],
        ..Batch::default()
    };
    store.commit(&batch, &policy()).unwrap();
    let shown = Shown { account: of, slot: Tag(1), item: "i".to_owned(), at: at(1), charge: None };
    store.show(std::slice::from_ref(&shown)).unwrap();
    store.click(&[shown]).unwrap();
    let delivery = Delivery {
        account: of,
        notice,
        version,
        channel: Channel::Email,
        language: "en".to_owned(),
        state: "delivered".to_owned(),
        at: at(1),
        proof: "p".to_owned(),
    };
    store.put_deliveries(&[delivery]).unwrap();
}

/// How many rows of an account stand in each table whose account a deletion erases.
fn held(location: &str, of: Tag) -> Vec<(String, i64)> {
    let connection = rusqlite::Connection::open(location).unwrap();
    let tables = crate::register::register()
        .into_iter()
        .filter(|(_, columns)| columns.get("account").is_some_and(|column| column.erased));
    tables
        .map(|(table, _)| {
            let sql = format!("SELECT count(*) FROM {table} WHERE account = ?1");
            let count = connection.query_row(&sql, [of.to_string()], |row| row.get(0)).unwrap();
            (table, count)
        })
        .collect()
}
