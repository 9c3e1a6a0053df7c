//! Notices as people read them, and the linter that refuses one whose first screen does not say
//! what it is about: that chats with an AI will be used.

use serde::{Deserialize, Serialize};

/// The text of a notice in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The heading.
    pub title: String,
    /// What is seen without a tap or a scroll. It must name chats with AI.
    pub first_screen: String,
    /// The rest.
    #[serde(default)]
    pub body: String,
}

/// Characters that a phone shows without scrolling, about.
const FIRST_SCREEN: usize = 480;

/// Characters of all of it, at most.
const LONGEST: usize = 20_000;

/// How a language calls an AI, and a chat with it. Words are found by how they begin; languages
/// that are written without spaces, anywhere.
struct Terms {
    language: &'static str,
    ai: &'static [&'static str],
    chat: &'static [&'static str],
}

const TERMS: [Terms; 20] = [
    Terms {
        language: "en",
        ai: &["ai", "artificial intelligence"],
        chat: &["chat", "conversation"],
    },
    Terms {
        language: "de",
        ai: &["ki", "ai", "künstliche intelligenz", "künstlichen intelligenz"],
        chat: &["chat", "gespräch", "unterhaltung"],
    },
    Terms {
        language: "fr",
        ai: &["ia", "intelligence artificielle"],
        chat: &["chat", "conversation", "discussion"],
    },
    Terms {
        language: "es",
        ai: &["ia", "inteligencia artificial"],
        chat: &["chat", "conversaci", "charla"],
    },
    Terms { language: "pt", ai: &["ia", "inteligência artificial"], chat: &["chat", "conversa"] },
    Terms {
        language: "it",
        ai: &["ia", "ai", "intelligenza artificiale"],
        chat: &["chat", "conversazion"],
    },
    Terms { language: "nl", ai: &["ai", "kunstmatige intelligentie"], chat: &["chat", "gesprek"] },
    Terms { language: "sv", ai: &["ai", "artificiell intelligens"], chat: &["chatt", "samtal"] },
    Terms { language: "da", ai: &["ai", "kunstig intelligens"], chat: &["chat", "samtale"] },
    Terms { language: "no", ai: &["ai", "ki", "kunstig intelligens"], chat: &["chat", "samtale"] },
    Terms { language: "pl", ai: &["ai", "si", "sztuczn"], chat: &["czat", "rozm"] },
    Terms { language: "tr", ai: &["ai", "yapay zek"], chat: &["sohbet", "konuşma"] },
    Terms {
        language: "ru", ai: &["ии", "искусственн"], chat: &["чат", "разговор", "бесед"]
    },
    Terms { language: "uk", ai: &["ші", "штучн"], chat: &["чат", "розмов"] },
    Terms {
        language: "ar", ai: &["الذكاء الاصطناعي", "ai"], chat: &["محادث", "المحادث", "دردش"]
    },
    Terms {
        language: "hi", ai: &["एआई", "ai", "कृत्रिम"], chat: &["चैट", "बातचीत"]
    },
    Terms {
        language: "id",
        ai: &["ai", "kecerdasan buatan"],
        chat: &["chat", "obrolan", "percakapan"],
    },
    Terms { language: "ja", ai: &["ai", "人工知能"], chat: &["チャット", "会話"] },
    Terms { language: "ko", ai: &["ai", "인공지능"], chat: &["채팅", "대화", "챗"] },
    Terms { language: "zh", ai: &["ai", "人工智能"], chat: &["聊天", "对话", "對話"] },
];

/// Languages written without spaces, or with endings in the way.
const ANYWHERE: [&str; 4] = ["ja", "ko", "zh", "ar"];

/// Checks a notice.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn lint(language: &str, notice: &Notice) -> Result<(), String> {
    if notice.title.trim().is_empty() {
        return Err("`title`: is empty".to_owned());
    }
    if notice.first_screen.chars().count() > FIRST_SCREEN {
        return Err(format!(
            "`first_screen`: longer than the {FIRST_SCREEN} characters that a phone shows without scrolling"
        ));
    }
    if notice.title.chars().count() > FIRST_SCREEN || notice.body.chars().count() > LONGEST {
        return Err(format!(
            "`body`: longer than {LONGEST} characters, or a title past all bounds"
        ));
    }
    let Some(terms) = TERMS.iter().find(|terms| terms.language == language) else {
        let known: Vec<_> = TERMS.iter().map(|terms| terms.language).collect();
        return Err(format!(
            "`language`: the linter knows how to say `AI chats` in {} only",
            known.join(", ")
        ));
    };
    let text = format!("{}\n{}", notice.title, notice.first_screen).to_lowercase();
    if !names(&text, terms.ai, language) {
        return Err(
            "`first_screen`: does not name AI; say on the first screen that chats with an \
                    AI are used"
                .to_owned(),
        );
    }
    if !names(&text, terms.chat, language) {
        return Err(
            "`first_screen`: does not name chats; say on the first screen that it is what \
                    people write to an AI that is used"
                .to_owned(),
        );
    }
    Ok(())
}

fn names(text: &str, terms: &[&str], language: &str) -> bool {
    terms.iter().any(|term| {
        let mut found = text.match_indices(term);
        found.any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + term.len()..].chars().next();
            let begins = before.is_none_or(|c| !c.is_alphanumeric());
            // A short name is a word of its own: `ai` is not in `aim`.
            let ends = term.chars().count() > 2 || after.is_none_or(|c| !c.is_alphabetic());
            let anywhere = ANYWHERE.contains(&language) && !term.is_ascii();
            anywhere || begins && (ends || ANYWHERE.contains(&language))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Notice, lint};

    fn first(language: &str, first_screen: &str) -> Result<(), String> {
        let notice = Notice {
            title: "!".to_owned(),
            first_screen: first_screen.to_owned(),
            body: "AI chats".to_owned(),
        };
        lint(language, &notice)
    }

    #[test]
    fn a_first_screen_must_name_ai_and_chats() {
        for (language, fine) in [
            ("en", "From 16 December, your chats with AI help to choose ads."),
            (
                "de",
                "Ab 16. Dezember bestimmen deine Gespräche mit der KI mit, welche Werbung du siehst.",
            ),
            ("fr", "Vos conversations avec l'IA serviront à choisir les publicités."),
            ("es", "Tus conversaciones con la IA servirán para elegir anuncios."),
            ("ja", "AIとのチャットは広告に使われます。"),
            ("zh", "您与人工智能的对话将用于广告。"),
        ] {
            assert_eq!(first(language, fine), Ok(()), "{language}");
        }
        for (language, wrong) in [
            // As announced: the first line of it.
            ("en", "Learn how we will use your info in new ways to personalise your experience."),
            ("en", "We aim to improve our chats."),
            ("en", "AI makes this better."),
            ("de", "Kinder lieben Chats."),
            ("tlh", "AI chat"),
            ("en", &"AI chats ".repeat(100)),
        ] {
            assert!(first(language, wrong).is_err(), "{wrong}");
        }
    }
}
