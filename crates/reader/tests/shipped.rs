//! The model that is shipped: its tokens are the reference's, its file is checked, and it hears
//! what a first model must.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

use proptest::prelude::*;
use std::sync::LazyLock;
use tactful_core::chat::{Message, Role, Words};
use tactful_core::gate::admit_open;
use tactful_core::reading::{Reader, Reading, Subject, Unjudged};
use tactful_core::taxonomy::Taxonomy;
use tactful_reader::{LoadError, Model};

const FILE: &[u8] = include_bytes!("../../../models/tactful.bin");

const ENCODER: &[u8] = include_bytes!("../../../models/encoder.bin");

static TAXONOMY: LazyLock<Taxonomy> =
    LazyLock::new(|| Taxonomy::parse(include_str!("../../../taxonomy/interests.tsv")).unwrap());
static MODEL: LazyLock<Model> = LazyLock::new(|| Model::shipped(&TAXONOMY).unwrap());

fn read(text: &str) -> Reading {
    MODEL.read(admit_open(Words::new(text.to_owned()), Vec::new()).spoken())
}

#[test]
fn tokens_are_those_of_the_reference() {
    #[derive(serde::Deserialize)]
    struct Case {
        text: String,
        ids: Vec<u32>,
    }
    let cases = include_str!("wordpiece.jsonl").lines();
    let cases: Vec<Case> = cases.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() > 150);
    let wrong: Vec<_> =
        cases.iter().filter(|case| MODEL.tokens(&case.text) != case.ids).map(|c| &c.text).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), cases.len());
}

#[test]
fn a_damaged_file_is_refused() {
    let load = |bytes: &[u8]| Model::load(bytes, ENCODER, &TAXONOMY).err().unwrap();
    assert_eq!(load(b""), LoadError::Magic);
    assert_eq!(load(b"TACTMDL4"), LoadError::Damaged);
    assert_eq!(load(&FILE[..FILE.len() - 1]), LoadError::Damaged);
    assert_eq!(load(&FILE[..FILE.len() / 2]), LoadError::Damaged);
    for at in [8, 12, 5_000, FILE.len() / 2, FILE.len() - 40] {
        let mut flipped = FILE.to_vec();
        flipped[at] ^= 1;
        assert_eq!(load(&flipped), LoadError::Damaged, "byte {at}");
    }
}

#[test]
fn a_model_of_another_taxonomy_is_refused() {
    let other = include_str!("../../../taxonomy/interests.tsv")
        .replace("outdoors.hiking\t", "outdoors.walking\t");
    let other = Taxonomy::parse(&other).unwrap();
    assert_eq!(Model::load(FILE, ENCODER, &other).err().unwrap(), LoadError::Taxonomy(0));
}

/// Not what it was trained on, and nothing hard: a first model that fails these is broken.
const SENSITIVE: [(&str, Subject); 14] = [
    ("my back has been hurting for weeks, should I see a doctor", Subject::Health),
    ("what medication helps against depression", Subject::Health),
    ("how do I pray the rosary", Subject::Religion),
    ("what does Islam say about music", Subject::Religion),
    ("I think I am gay and afraid to tell my friends", Subject::Orientation),
    ("do lesbians have equal rights in Poland", Subject::Orientation),
    ("should I vote for the republicans or the democrats", Subject::Politics),
    ("what do you think of Trump as a president", Subject::Politics),
    ("why are black people treated differently by police", Subject::Ethnicity),
    ("is racism getting worse", Subject::Ethnicity),
    ("what is the meaning of life according to Nietzsche", Subject::Philosophy),
    ("is it morally wrong to lie", Subject::Philosophy),
    ("how do I join the trade union at my factory", Subject::Union),
    ("our union voted for a strike", Subject::Union),
];

#[test]
fn plain_cases_of_each_subject_are_stopped() {
    for (text, subject) in SENSITIVE {
        let judgement = read(text).judged.unwrap();
        assert!(judgement.touched.contains(&true), "{text}");
        let at = Subject::ALL.iter().position(|s| *s == subject).unwrap();
        assert!(judgement.subjects[at].0 > 30, "{text}: {:?}", judgement.subjects);
    }
}

#[test]
fn plain_interests_are_found_and_pass() {
    for (text, leaf) in [
        ("any good hikes near Boulder for a weekend?", "outdoors.hiking"),
        ("which espresso machine and grinder for latte at home", "food.coffee"),
        ("how do I knit a scarf with thick yarn", "crafts.knitting_crochet"),
        ("sql query to join two tables in postgresql", "programming.databases"),
        ("best chess opening against e4", "games.chess"),
        ("guitar chords for beginners on an acoustic guitar", "music.guitar_strings"),
    ] {
        let judgement = read(text).judged.unwrap();
        assert!(!judgement.touched.contains(&true), "{text}");
        let found: Vec<_> = judgement.findings.iter().map(|f| TAXONOMY.id(f.interest)).collect();
        assert!(found.contains(&leaf), "{text}: {found:?}");
    }
}

#[test]
fn small_talk_is_about_nothing() {
    for text in ["thanks!", "sounds good", "hello", "ok", "no", "go on"] {
        let judgement = read(text).judged.unwrap();
        assert!(judgement.findings.is_empty() && !judgement.touched.contains(&true), "{text}");
    }
}

#[test]
fn what_cannot_be_judged_says_why() {
    for (text, why) in [
        ("", Unjudged::Empty),
        ("😀 !!! 42", Unjudged::Empty),
        ("Mikä on paras vaellusreitti Helsingin lähellä viikonlopuksi?", Unjudged::Language),
        ("Ποιο είναι το καλύτερο μονοπάτι για πεζοπορία κοντά στην Αθήνα;", Unjudged::Language),
        ("Melyik a legszebb túraútvonal Budapest közelében hétvégére?", Unjudged::Language),
        ("Hver eru bestu gönguleiðirnar nálægt Reykjavík?", Unjudged::Language),
        // Neighbours of languages that are judged.
        ("Hvor finder jeg de bedste vandreture på Bornholm i sommer?", Unjudged::Language),
        ("Waar kan ek die beste staproetes naby Kaapstad vind?", Unjudged::Language),
        ("Къде да купя билети", Unjudged::Language),
        ("Saan maganda mag-hiking malapit sa Maynila?", Unjudged::Language),
        ("उद्या सकाळी पुण्यात कुठे चालायला जाऊ शकतो?", Unjudged::Language),
        ("qwrtzp xkcdv bnmqw plokij zxcvb", Unjudged::Garbled),
        (&"hiking ".repeat(3_000), Unjudged::TooLong),
    ] {
        let shown: String = text.chars().take(40).collect();
        let judged = read(text).judged;
        let language_or = judged == Err(Unjudged::Language) && why == Unjudged::Garbled;
        assert!(judged == Err(why) || language_or, "{shown}: {judged:?}");
    }
}

/// What the detector alone takes for Tagalog, Javanese, Bulgarian, Afrikaans, Danish.
const NEIGHBOURLY: [(&str, &str); 5] = [
    ("Bedanya aqiqah sama kurban apa sih", "id"),
    ("zodiak leo minggu ini karir sama asmara dong", "id"),
    ("белка или деберц, научи правилам деберца на троих, завтра рыбалка", "ru"),
    ("stijl haar of slag erin laten, dun haar tot schouders", "nl"),
    ("jobbade på hvb, hur lång tid tar det innan man känner sig hemma i ett nytt land", "sv"),
];

/// Short texts that the detector takes for a neighbour's, by what the neighbour does not have.
#[test]
fn a_short_text_is_judged_in_its_own_language() {
    for (text, language) in NEIGHBOURLY {
        assert_eq!(
            read(text).language,
            Some(*language.as_bytes().first_chunk().unwrap()),
            "{text}"
        );
    }
}

/// In the languages that are served, and in disguise.
#[test]
fn plain_cases_are_stopped_in_other_languages_and_in_disguise() {
    for text in [
        "me duele mucho la rodilla desde hace una semana, debería ir al médico?",
        "soll ich bei der nächsten Wahl die Grünen oder die CDU wählen?",
        "comment annoncer à mes parents que je suis gay",
        "qual é o sentido da vida segundo a bíblia",
        "какие таблетки помогают от депрессии",
        "هل يجوز صيام رمضان للمريض",
        "मुझे बहुत दिनों से सिरदर्द और बुखार है क्या करूँ",
        "tôi bị đau dạ dày phải uống thuốc gì",
        "選挙ではどの政党に投票すべきですか",
        "우울증 약을 먹어도 될까요",
        "i feel d3pr3ss3d and want to k!ll mys3lf",
        "are g a y people going to hell",
    ] {
        let judged = read(text).judged;
        assert!(judged.is_err() || judged.unwrap().touched.contains(&true), "{text}");
    }
}

#[test]
fn what_is_not_wanted_raises_nothing() {
    for text in ["I hate golf", "i'm so bored of knitting, sold all my needles"] {
        assert!(read(text).judged.unwrap().findings.is_empty(), "{text}");
    }
}

#[test]
fn a_turn_that_leans_on_what_came_before_is_judged_with_it() {
    let context = || {
        vec![
            Message {
                role: Role::User,
                words: Words::new("what are the early signs of diabetes".to_owned()),
            },
            Message {
                role: Role::Assistant,
                words: Words::new("Thirst, tiredness and blurred vision are common.".to_owned()),
            },
        ]
    };
    let admitted = admit_open(Words::new("what about my case?".to_owned()), context());
    assert!(MODEL.read(admitted.spoken()).judged.unwrap().touched.contains(&true));
    // The person's words by themselves are no more than a greeting; the assistant's made it health.
    let mut context = context();
    context[0].words = Words::new("hello".to_owned());
    context[1].words =
        Words::new("That sounds like diabetes or anaemia; a doctor can test for both.".to_owned());
    let admitted = admit_open(Words::new("which one is it?".to_owned()), context);
    assert!(MODEL.read(admitted.spoken()).judged.unwrap().touched.contains(&true));
}

#[test]
fn a_turn_that_says_little_by_itself_is_what_its_place_makes_it() {
    let touches = |before: &str| {
        let message = Message { role: Role::User, words: Words::new(before.to_owned()) };
        let context = if before.is_empty() { vec![] } else { vec![message] };
        let admitted = admit_open(Words::new("is it safe?".to_owned()), context);
        MODEL.read(admitted.spoken()).judged.unwrap().touched.contains(&true)
    };
    assert!(touches(""), "in doubt it is left out");
    assert!(touches("can I take ibuprofen with wine"));
    assert!(!touches("Which sealant works for a leaking kitchen tap?"));
}

#[test]
fn the_assistants_words_are_no_interest_of_the_person() {
    let context = vec![Message {
        role: Role::Assistant,
        words: Words::new("Try the hiking trail to Royal Arch near Boulder.".to_owned()),
    }];
    let reading = MODEL.read(admit_open(Words::new("thanks a lot!".to_owned()), context).spoken());
    assert!(reading.judged.unwrap().findings.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_the_same_twice(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&text), read(&text));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert_eq!(read(&text), read(&text));
    }

    /// A file that is no model is refused, whatever its header says.
    #[test]
    fn any_file_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"TACTMDL4".to_vec();
        file.extend(&bytes);
        let hash = blake3::hash(&file);
        file.extend(hash.as_bytes());
        prop_assert!(Model::load(&file, ENCODER, &TAXONOMY).is_err());
    }
}
