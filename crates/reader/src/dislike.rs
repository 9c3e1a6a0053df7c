//! Does an English text say that its subject is not wanted? The stages' head hears it in longer
//! texts; of three words, such as "I hate golf", it hears the golf.

use crate::wordpiece::words;
use zeroize::Zeroizing;

/// What somebody says of a thing that they want to get right: the interest stands.
const AT_IT: [&str; 12] = [
    "how",
    "help",
    "tips",
    "fix",
    "improve",
    "but",
    "love",
    "learn",
    "better",
    "advice",
    "should",
    "recommend",
];

/// What follows "I", at most two words later.
const AGAINST: [&str; 6] = ["hate", "despise", "dislike", "loathe", "detest", "hated"];

/// Does the text say so, and ask for nothing?
pub fn is_dislike(text: &str) -> bool {
    if text.contains('?') {
        return false;
    }
    let mut all: Zeroizing<Vec<String>> = Zeroizing::default();
    words(text, |word| all.push(word.to_owned()));
    if all.iter().any(|word| AT_IT.contains(&word.as_str())) {
        return false;
    }
    let is = |at: usize, any: &[&str]| all.get(at).is_some_and(|word| any.contains(&&**word));
    (0..all.len()).any(|at| match all[at].as_str() {
        "i" => {
            let hates = (at + 1..at + 4).any(|next| is(next, &AGAINST));
            let not = is(at + 1, &["don", "dont", "do", "never"]);
            let likes = (at + 2..at + 6).any(|next| is(next, &["like", "enjoy", "care", "liked"]));
            hates || (not && likes)
        }
        "can" | "cant" | "cannot" => (at + 1..at + 4).any(|next| is(next, &["stand"])),
        "not" => is(at + 1, &["into"]) || (is(at + 1, &["a"]) && is(at + 2, &["fan"])),
        "bored" | "tired" | "sick" => is(at + 1, &["of"]),
        "stop" => is(at + 1, &["showing", "recommending", "suggesting", "sending"]),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::is_dislike;

    #[test]
    fn what_is_not_wanted_is_heard() {
        for text in [
            "I hate golf",
            "i really can't stand reality tv anymore",
            "I don't like sushi.",
            "so bored of knitting, sold all my needles",
            "stop showing me football",
            "not a fan of camping",
        ] {
            assert!(is_dislike(text), "{text}");
        }
    }

    #[test]
    fn what_is_wanted_stands() {
        for text in [
            "I hate how my golf swing slices, how do I fix it",
            "i don't know which tent to buy",
            "i would like a tent",
            "can't stand losing at chess, tips?",
            "what do people hate about golf?",
            "I love golf",
        ] {
            assert!(!is_dislike(text), "{text}");
        }
    }
}
