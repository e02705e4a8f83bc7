//! Tests of the pages: a snapshot of each, and what all of them promise.

use std::{error::Error as _, fs};

use super::*;

fn server_name() -> ServerName {
    ServerName::parse("example.org").unwrap()
}

fn built_in() -> Pages {
    Pages::load(None, &server_name()).unwrap()
}

fn load(files: &[(&str, &str)]) -> Result<Pages, PagesError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    Pages::load(Some(folder.path()), &server_name())
}

fn refused(files: &[(&str, &str)]) -> String {
    let Err(error) = load(files) else { panic!("the pages were accepted") };
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn english(html: &Pages, page: &impl PageTemplate) -> String {
    html.render(page, &Language::default()).unwrap().html
}

/// Every sample of a page, without the head, which is the same for all.
fn shown<T: PageTemplate>() -> String {
    let pages = built_in();
    let bodies: Vec<String> = T::samples()
        .iter()
        .map(|sample| {
            let html = english(&pages, sample);
            check_promises(&html);
            let title = html.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
            let main = html.split("<main>").nth(1).unwrap().split("</main>").next().unwrap();
            format!("[{title}]{main}")
        })
        .collect();
    bodies.join("\n==========\n\n")
}

/// What a reader with a screen reader, without a script or behind a strict policy relies on.
fn check_promises(html: &str) {
    let count = |what: &str| html.matches(what).count();
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{html}");
    assert_eq!(
        (count("<h1>"), count("<main>"), count("<title>"), count("name=\"viewport\"")),
        (1, 1, 1, 1),
        "{html}"
    );
    assert_eq!(
        (count(" style=\""), count("<img"), count("<link "), count("@import"), count("url(")),
        (0, 0, 0, 0, 0)
    );
    let mut ids: Vec<&str> =
        html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands twice: {html}");
    assert_eq!(count("method=\"post\""), count("<form"), "a token must not get into a URL by a form");
}

#[test]
fn layout() {
    insta::assert_snapshot!(english(&built_in(), &LinkExpired {}));
}

#[test]
fn confirm() {
    insta::assert_snapshot!(shown::<Confirm>());
}

#[test]
fn confirmed() {
    insta::assert_snapshot!(shown::<ConfirmedPage>());
}

#[test]
fn links_that_do_not_work() {
    insta::assert_snapshot!(format!("{}\n==========\n\n{}", shown::<LinkInvalid>(), shown::<LinkExpired>()));
}

#[test]
fn not_me() {
    insta::assert_snapshot!(shown::<NotMe>());
}

#[test]
fn not_me_answers() {
    let pages = [shown::<NotMeDone>(), shown::<NotMeTooLate>(), shown::<NotMeSuppressed>()];
    insta::assert_snapshot!(pages.join("\n==========\n\n"));
}

#[test]
fn stages_without_an_address() {
    let pages = [shown::<FallbackDummy>(), shown::<FallbackTerms>(), shown::<FallbackRegistrationToken>()];
    insta::assert_snapshot!(pages.join("\n==========\n\n"));
}

#[test]
fn stages_with_an_address() {
    insta::assert_snapshot!(format!(
        "{}\n==========\n\n{}",
        shown::<FallbackEmail>(),
        shown::<FallbackMsisdn>()
    ));
}

#[test]
fn stages_at_their_end() {
    insta::assert_snapshot!(format!(
        "{}\n==========\n\n{}",
        shown::<FallbackDone>(),
        shown::<FallbackExpired>()
    ));
}

#[test]
fn errors() {
    insta::assert_snapshot!(shown::<ErrorPage>());
}

#[test]
fn inbox() {
    insta::assert_snapshot!(shown::<InboxPage>());
}

#[test]
fn values_never_become_markup() {
    let evil = "\"><script>alert(1)</script>'&";
    let mut page = Confirm::samples().pop().unwrap();
    page.address = evil.to_owned();
    page.user_id = Some(evil.to_owned());
    page.next = Some(NextStep { url: evil.to_owned(), host: Some(evil.to_owned()) });
    page.link = LinkFields { sid: evil.to_owned(), token: evil.to_owned() };
    let next = page.next.clone();
    let confirmed = ConfirmedPage { purpose: page.purpose, address: evil.to_owned(), user_id: None, next };
    let session = StageSession { session: evil.to_owned() };
    let (name, url, version) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
    let policies = vec![PolicyToAccept { name, url, version }];
    let sent =
        SentMessage { sid: evil.to_owned(), client_secret: evil.to_owned(), attempt: 1, has_code: true };
    let threepid = FallbackThreepid {
        address: Some(evil.to_owned()),
        sent: None,
        problem: Some(ThreepidProblem::Invalid),
        session: session.clone(),
    };
    let sent = FallbackThreepid { sent: Some(sent), ..threepid.clone() };
    for html in [
        english(&built_in(), &page),
        english(&built_in(), &confirmed),
        english(&built_in(), &FallbackDummy(session.clone())),
        english(&built_in(), &FallbackTerms { policies, session: session.clone() }),
        english(&built_in(), &FallbackRegistrationToken { refused: true, session }),
        english(&built_in(), &FallbackEmail(threepid.clone())),
        english(&built_in(), &FallbackMsisdn(threepid)),
        english(&built_in(), &FallbackEmail(sent.clone())),
        english(&built_in(), &FallbackMsisdn(sent)),
    ] {
        assert!(!html.contains("<script") && !html.contains("\"><"), "{html}");
    }
}

#[test]
fn a_mail_in_the_inbox_stays_in_its_frame() {
    let mut inbox = InboxPage::samples().pop().unwrap();
    inbox.messages[0].html = Some("\"></iframe><script>alert(1)</script>".to_owned());
    inbox.messages[0].text_parts = vec!["</pre><script>alert(1)</script>".to_owned()];
    let html = english(&built_in(), &inbox);
    assert_eq!(html.matches("<script").count(), 1, "only our own: {html}");
    assert!(html.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{html}");
}

#[test]
fn a_full_inbox_renders() {
    let message = InboxPage::samples().pop().unwrap().messages.pop().unwrap();
    let inbox = InboxPage { messages: vec![message; 1000], next: 1000 };
    assert!(english(&built_in(), &inbox).len() > 100_000);
}

#[test]
fn a_file_of_the_same_name_wins_and_languages_fall_back_page_by_page() {
    let pages = load(&[
        ("de/link_expired.html", "{% extends 'layout.html' %}{% block main %}<h1>Zu alt</h1>{% endblock %}"),
        ("en/link_invalid.html", "<h1>Our own on {{ server_name }}</h1>"),
        (".gitkeep", ""),
    ])
    .unwrap();
    let render = |tag: &str| pages.render(&LinkExpired {}, &Language::parse(tag).unwrap()).unwrap();
    for (tag, language) in [("de", "de"), ("de-AT", "de"), ("DE-ch-1996", "de"), ("fr", "en"), ("deu", "en")]
    {
        assert_eq!(render(tag).language, language, "{tag}");
    }
    assert!(render("de").html.contains("<html lang=\"de\">") && render("de").html.contains("Zu alt"));
    let other = pages.render(&LinkInvalid {}, &Language::parse("de").unwrap()).unwrap();
    assert_eq!((other.language.as_str(), other.html.as_str()), ("en", "<h1>Our own on example.org</h1>"));
}

#[test]
fn mistakes_are_refused_at_start() {
    assert!(refused(&[("en/confrim.html", "x")]).contains("not the name of a page"));
    assert!(refused(&[("layuot.html", "x")]).contains("not the name of a page"));
    assert!(refused(&[("deutsch/confirm.html", "x")]).contains("not named after a language"));
    assert!(refused(&[("de/confirm.html", "{{ adress }}")]).contains("de/confirm.html"));
    assert!(refused(&[("en/confirm.html", "{{ address ")]).contains("en/confirm.html"));
    assert!(refused(&[("en/confirm.html", " \n")]).contains("renders to nothing"));
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(refused(&[("en/confirm.html", endless)]).contains("fuel"));
}

#[test]
fn the_policy_knows_the_style_sheets_of_pages_but_not_of_the_inbox() {
    assert_eq!(built_in().style_sources().matches("'sha256-").count(), 1);
    let own = load(&[("en/confirm.html", "<style>h1 { color: red }</style>")]).unwrap();
    assert_eq!(own.style_sources().matches("'sha256-").count(), 2);
}

#[test]
fn the_policy_knows_the_script_that_tells_an_app_and_no_other() {
    let page = english(&built_in(), &FallbackDone {});
    let (_, after) = page.split_once("<script>").expect("a script");
    let (script, _) = after.split_once("</script>").expect("its end");
    let mut expected = BTreeSet::new();
    style_hash::collect(&format!("<script>{script}</script>"), Inline::Script, &mut expected);
    assert_eq!(built_in().script_sources(), expected.into_iter().next().expect("one"));
    let own = load(&[("en/confirm.html", "<script>alert(1)</script>")]).unwrap();
    assert_eq!(own.script_sources(), built_in().script_sources(), "other pages get no scripts");
}
