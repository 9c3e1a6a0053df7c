//! Counts by day and by region, on SQLite and on PostgreSQL.

use crate::engines::on_each;
use jiff::Timestamp;
use tactful_core::chat::{Name, Region, Tag};
use tactful_core::policy::Policy;
use tactful_core::standing::{AccountFact, Channel, NoticeFact};
use tactful_store::batch::Batch;
use tactful_store::inventory::Shown;

const DAY: i64 = 20_100;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400 + 5).unwrap()
}

fn account(n: u128) -> Tag {
    Tag(n << 116 | n)
}

#[test]
fn an_account_counts_once_where_it_is_now_and_as_told_from_the_day_that_counts() {
    on_each(|fresh| {
        let fact = |day, region| AccountFact {
            at: at(day),
            region: Region::new(region),
            ..AccountFact::default()
        };
        let notice = |day, channel| NoticeFact {
            delivered: at(day),
            notice: "ai-chats".to_owned(),
            version: "1".to_owned(),
            channel,
        };
        let facebook = Name::new("facebook").unwrap();
        let batch = Batch {
            facts: vec![
                (account(1), facebook, fact(DAY, "US")),
                (account(1), facebook, fact(DAY + 1, "DE")),
                (account(2), facebook, fact(DAY, "US")),
                (account(3), facebook, fact(DAY, "US")),
            ],
            notices: vec![
                (account(1), notice(DAY + 2, Channel::Email)),
                (account(2), notice(DAY + 2, Channel::Email)),
                (account(2), notice(DAY + 2, Channel::InApp)),
                (account(3), notice(DAY - 9, Channel::Email)),
            ],
            ..Batch::default()
        };
        let policy = Policy::parse(include_str!("../../../../policies/opt-in.toml")).unwrap();
        fresh.store.commit(&batch, &policy).unwrap();
        let told = fresh.store.told_by_region(at(DAY), at(DAY + 2)).unwrap();
        let told = told.iter().map(|t| (t.region.as_str(), t.accounts, t.told, t.ready));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("DE", 1, 1, 1), ("US", 2, 1, 1)],
            "{}",
            fresh.engine
        );
        // Told, but not long enough ago.
        let told = fresh.store.told_by_region(at(DAY), at(DAY + 1)).unwrap();
        let told = told.iter().map(|t| (t.told, t.ready));
        assert_eq!(told.collect::<Vec<_>>(), [(1, 0), (1, 0)], "{}", fresh.engine);
        let days = fresh.store.notices_by_day().unwrap();
        let days: Vec<_> = days.iter().map(|d| (d.day, d.channel.as_str(), d.accounts)).collect();
        assert_eq!(
            days,
            [(DAY - 9, "email", 1), (DAY + 2, "email", 2), (DAY + 2, "in_app", 1)],
            "{}",
            fresh.engine
        );
    });
}

#[test]
fn what_is_spent_is_told_by_day() {
    on_each(|fresh| {
        let shown = |slot, day, micros| Shown {
            account: account(1),
            slot: Tag(slot),
            item: "i".to_owned(),
            at: at(day),
            charge: Some(("c".to_owned(), micros)),
        };
        fresh.store.show(&[shown(1, DAY, 40), shown(2, DAY, 2), shown(3, DAY + 3, 5)]).unwrap();
        let spent = fresh.store.spent_by_day().unwrap();
        assert_eq!(spent["c"], [(DAY, 42), (DAY + 3, 5)], "{}", fresh.engine);
    });
}
