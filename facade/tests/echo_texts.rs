//! The texts of the echo example: which language `LANG` or a browser's
//! preference means, and that no text is missing.

#[path = "../examples/shared/texts.rs"]
mod texts;

use texts::{Form, PAGES, choose};

#[test]
fn lang_chooses_the_terminals_language() {
    for (tag, lang) in [
        ("", "en"),
        ("C", "en"),
        ("POSIX", "en"),
        ("C.UTF-8", "en"),
        ("en_US.UTF-8", "en"),
        ("fr", "fr"),
        ("fr_CA.UTF-8", "fr"),
        ("es_MX", "es"),
        ("es.UTF-8", "es"),
        ("pt_BR@euro", "pt"),
        ("PT", "pt"),
        ("de_DE.UTF-8", "en"),
    ] {
        let page = choose([tag], Form::Current);
        assert_eq!((page.lang, page.form), (lang, Form::Current), "{tag}");
    }
}

#[test]
fn the_first_language_that_there_is_counts() {
    let lang = |tags: &[&str]| choose(tags.iter().copied(), Form::Current).lang;
    assert_eq!(lang(&["de-AT", "es-MX", "fr"]), "es");
    assert_eq!(lang(&["de", "nl"]), "en");
    assert_eq!(lang(&[]), "en");
}

#[test]
fn only_portuguese_has_an_older_form() {
    for page in &PAGES {
        let wanted = match page.lang {
            "pt" => Form::Older,
            _ => Form::Current,
        };
        assert_eq!(choose([page.lang], Form::Older).form, wanted);
    }
}
