//! The normal form is that of `training/normal.py`, which the model was trained on.

use proptest::prelude::*;
use tactful_reader::normal::normal;

#[derive(serde::Deserialize)]
struct Case {
    text: String,
    normal: String,
}

#[test]
fn the_form_is_that_of_the_training() {
    let cases: Vec<Case> = include_str!("normal.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() > 400);
    for case in cases {
        assert_eq!(*normal(&case.text), *case.normal, "{:?}", case.text);
    }
}

#[test]
fn disguises_are_undone_and_names_with_digits_are_not() {
    for (text, plain) in [
        ("i feel d3pr3ss3d and s u i c i d a l", "i feel depressed and suicidal"),
        ("аbortiоn rights", "abortion rights"),
        ("aborti\u{200b}on", "abortion"),
        ("mp3 of h264 b2b covid19", "mp3 of h264 b2b covid19"),
        ("मेरे घुटने में दर्द है", "mere ghutne men dard hai"),
        ("tôi bị đau bụng", "toi bi dau bung"),
    ] {
        assert_eq!(&*normal(text), plain);
    }
}

proptest! {
    #[test]
    fn plain_words_stay_as_they_are(text in "[a-z]{2,9}( [a-z]{2,9}){0,8}") {
        prop_assert_eq!(&*normal(&text), text.as_str());
    }

    #[test]
    fn any_text_has_a_form(text in "\\PC{0,80}") {
        let _ = normal(&text);
    }
}
