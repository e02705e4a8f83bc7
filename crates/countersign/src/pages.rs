//! The words of the pages: built-in templates, an operator's own over them, and the languages.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use countersign_core::{Language, ServerName};
use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig, value::Serde};
use minijinja_contrib::pycompat;

pub(crate) use self::files::INBOX_SCRIPT;
use self::style_hash::Inline;
pub use self::{
    context::{
        Confirm, ConfirmedPage, ErrorPage, FallbackDone, FallbackDummy, FallbackEmail, FallbackExpired,
        FallbackMsisdn, FallbackRegistrationToken, FallbackTerms, FallbackThreepid, InboxMessage, InboxPage,
        LinkExpired, LinkFields, LinkInvalid, NextStep, NotMe, NotMeContext, NotMeDone, NotMeSuppressed,
        NotMeTooLate, PageTemplate, PolicyToAccept, Problem, SentMessage, StageSession, ThreepidProblem,
    },
    files::PageFilesError,
    time::When,
};

mod context;
mod files;
mod style_hash;
mod time;

/// A page uses a few thousand, a full inbox some hundred thousand; an endless loop in an operator's template ends here.
const FUEL: u64 = 2_000_000;

/// A rendered page.
#[derive(Clone)]
pub struct RenderedPage {
    /// The language that it is written in.
    pub language: String,
    /// The whole document.
    pub html: String,
}

/// The pages cannot be loaded, or one of them fails.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// The operator's folder is not as it should be.
    #[error("the pages cannot be loaded")]
    Files(#[from] PageFilesError),
    /// A template is malformed, or fails on what it is given.
    #[error("the page {file} fails")]
    Render {
        /// The template's file, `<language>/<name>.html`.
        file: String,
        /// What is wrong with it.
        #[source]
        cause: minijinja::Error,
    },
    /// A template renders to nothing.
    #[error("the page {file} renders to nothing")]
    Empty {
        /// The template's file, `<language>/<name>.html`.
        file: String,
    },
}

/// Renders pages; loaded once.
pub struct Pages {
    environment: Environment<'static>,
    languages: Vec<String>,
    server_name: String,
    style_sources: String,
    script_sources: String,
}

impl Pages {
    /// Loads the built-in pages and those of the folder, where a file of the same name wins, and renders every sample
    /// in every language.
    ///
    /// The check refuses unknown variables; later an unknown variable renders as nothing, since a page with a gap is
    /// better than none.
    ///
    /// # Errors
    /// When the folder can't be read, holds a file that is no page, or a page fails on one of its samples.
    pub fn load(folder: Option<&Path>, server_name: &ServerName) -> Result<Self, PagesError> {
        let sources = files::collect(folder)?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let languages = languages(&sources);
        for (name, source) in sources {
            environment
                .add_template_owned(name.clone(), source)
                .map_err(|cause| PagesError::Render { file: name, cause })?;
        }
        let server_name = server_name.to_string();
        let (style_sources, script_sources) = (String::new(), String::new());
        let mut pages = Self { environment, languages, server_name, style_sources, script_sources };
        let hashes = pages.check()?;
        pages.style_sources = hashes.styles.into_iter().collect::<Vec<_>>().join(" ");
        pages.script_sources = hashes.done_scripts.into_iter().collect::<Vec<_>>().join(" ");
        pages.environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        Ok(pages)
    }

    /// Renders a page in the language, or in the nearest one that has it.
    ///
    /// # Errors
    /// When the template fails on what it is given, although it did not on its samples.
    pub fn render<T: PageTemplate>(&self, page: &T, language: &Language) -> Result<RenderedPage, PagesError> {
        self.render_in(page, self.nearest(language, T::NAME))
    }

    /// The hashes of all style sheets of the pages, for `style-src`. Not those of the inbox.
    pub fn style_sources(&self) -> &str {
        &self.style_sources
    }

    /// The hashes of the scripts of [`FallbackDone`], for `script-src`. No other page has one, but the inbox.
    pub fn script_sources(&self) -> &str {
        &self.script_sources
    }

    fn render_in<T: PageTemplate>(&self, page: &T, language: &str) -> Result<RenderedPage, PagesError> {
        let file = format!("{language}/{}.html", T::NAME);
        let server_name = &self.server_name;
        let context = context! { language, server_name, ..Value::from(Serde(page)) };
        let rendered = self.environment.get_template(&file).and_then(|template| template.render(context));
        match rendered {
            Ok(html) if html.trim().is_empty() => Err(PagesError::Empty { file }),
            Ok(html) => Ok(RenderedPage { language: language.to_owned(), html }),
            Err(cause) => Err(PagesError::Render { file, cause }),
        }
    }

    /// Finds the folder for a language tag: the tag itself, then without its last subtag, and so on, then English.
    fn nearest(&self, wanted: &Language, name: &str) -> &str {
        let mut wanted = wanted.as_str().to_ascii_lowercase();
        loop {
            let has_it = |language: &&String| {
                **language == wanted
                    && self.environment.get_template(&format!("{language}/{name}.html")).is_ok()
            };
            if let Some(language) = self.languages.iter().find(has_it) {
                return language;
            }
            match wanted.rfind('-') {
                Some(end) => wanted.truncate(end),
                None => return files::FALLBACK_LANGUAGE,
            }
        }
    }

    /// Renders everything once and gives the hashes of what stands in the pages.
    fn check(&self) -> Result<Hashes, PagesError> {
        let mut hashes = Hashes::default();
        for language in &self.languages {
            self.check_page::<Confirm>(language, &mut hashes)?;
            self.check_page::<ConfirmedPage>(language, &mut hashes)?;
            self.check_page::<LinkInvalid>(language, &mut hashes)?;
            self.check_page::<LinkExpired>(language, &mut hashes)?;
            self.check_page::<NotMe>(language, &mut hashes)?;
            self.check_page::<NotMeDone>(language, &mut hashes)?;
            self.check_page::<NotMeTooLate>(language, &mut hashes)?;
            self.check_page::<NotMeSuppressed>(language, &mut hashes)?;
            self.check_page::<ErrorPage>(language, &mut hashes)?;
            self.check_page::<FallbackDummy>(language, &mut hashes)?;
            self.check_page::<FallbackTerms>(language, &mut hashes)?;
            self.check_page::<FallbackRegistrationToken>(language, &mut hashes)?;
            self.check_page::<FallbackEmail>(language, &mut hashes)?;
            self.check_page::<FallbackMsisdn>(language, &mut hashes)?;
            self.check_page::<FallbackExpired>(language, &mut hashes)?;
            self.check_page::<FallbackDone>(language, &mut hashes)?;
            self.check_page::<InboxPage>(language, &mut Hashes::default())?;
        }
        Ok(hashes)
    }

    fn check_page<T: PageTemplate>(&self, language: &str, hashes: &mut Hashes) -> Result<(), PagesError> {
        let language = Language::parse(language).unwrap_or_default();
        for sample in T::samples() {
            let html = self.render(&sample, &language)?.html;
            style_hash::collect(&html, Inline::Style, &mut hashes.styles);
            if T::NAME == FallbackDone::NAME {
                style_hash::collect(&html, Inline::Script, &mut hashes.done_scripts);
            }
        }
        Ok(())
    }
}

/// What the pages' policies allow.
#[derive(Default)]
struct Hashes {
    styles: BTreeSet<String>,
    done_scripts: BTreeSet<String>,
}

/// Lets block tags stand on lines of their own without leaving empty ones.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("only white space differs from the default syntax")
}

fn languages(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut languages: Vec<String> = sources
        .keys()
        .filter_map(|name| name.split_once('/'))
        .map(|(language, _)| language.to_owned())
        .collect();
    languages.dedup();
    languages
}

#[cfg(test)]
mod tests;
