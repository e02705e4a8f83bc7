//! The words of every message: built-in templates, an operator's own over them, and the languages.

use std::{collections::BTreeMap, path::Path};

use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value, context, escape_formatter,
    syntax::SyntaxConfig, value::Serde,
};
use minijinja_contrib::pycompat;

pub use self::{
    context::{
        AccountChange, AccountChangedEmail, AccountChangedSms, AddressInUseEmail, AddressInUseSms,
        EmailTemplate, InvitationEmail, MessagePurpose, NoAccountEmail, NoAccountSms, SmsTemplate,
        ValidateEmail, ValidateMsisdn,
    },
    files::TemplateFilesError,
};
use crate::{email::mime::one_line, markup};

mod context;
mod files;

/// A message uses a few thousand at most; an endless loop in an operator's template ends here.
const FUEL: u64 = 200_000;

/// A rendered mail.
#[derive(Clone)]
pub struct RenderedEmail {
    /// The template's name.
    pub template: &'static str,
    /// The language that it is written in.
    pub language: String,
    /// The subject, one line.
    pub subject: String,
    /// The plain text body.
    pub text: String,
    /// The HTML body.
    pub html: String,
}

/// A rendered text message.
#[derive(Clone)]
pub struct RenderedSms {
    /// The template's name.
    pub template: &'static str,
    /// The language that it is written in.
    pub language: String,
    /// The text.
    pub text: String,
}

/// The templates cannot be loaded, or one of them fails.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The operator's folder is not as it should be.
    #[error("the templates cannot be loaded")]
    Files(#[from] TemplateFilesError),
    /// A template is malformed, or fails on what it is given.
    #[error("the template {file} fails")]
    Render {
        /// The template's file, `<language>/<name>`.
        file: String,
        /// What is wrong with it.
        #[source]
        cause: minijinja::Error,
    },
    /// A template renders to nothing.
    #[error("the template {file} renders to nothing")]
    Empty {
        /// The template's file, `<language>/<name>`.
        file: String,
    },
}

/// Renders messages; loaded once.
pub struct Templates {
    environment: Environment<'static>,
    languages: Vec<String>,
}

impl Templates {
    /// Loads the built-in templates and those of the folder, where a file of the same name wins,
    /// and renders every sample in every language.
    ///
    /// The check refuses unknown variables; later an unknown variable renders as nothing, since a
    /// message with a gap is better than none.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateError> {
        let sources = files::collect(folder)?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        environment.set_formatter(format_value);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let languages = languages(&sources);
        for (name, source) in sources {
            environment
                .add_template_owned(name.clone(), source)
                .map_err(|cause| TemplateError::Render { file: name, cause })?;
        }
        let mut templates = Self { environment, languages };
        templates.check()?;
        templates.environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        Ok(templates)
    }

    /// Renders a mail in the language, or in the nearest one that has it.
    pub fn render_email<T: EmailTemplate>(
        &self,
        context: &T,
        language: &str,
    ) -> Result<RenderedEmail, TemplateError> {
        let language = self.nearest(language, T::NAME, "subject.txt");
        let file = |ending| format!("{language}/{}.{ending}", T::NAME);
        let base = context! { language => language, ..Value::from(Serde(context)) };
        let subject = one_line(&self.render(file("subject.txt"), base.clone())?);
        let text = self.render(file("txt"), base.clone())?;
        let html = self.render(file("html"), context! { subject => &subject, ..base })?;
        Ok(RenderedEmail { template: T::NAME, language: language.to_owned(), subject, text, html })
    }

    /// Renders a text message in the language, or in the nearest one that has it.
    pub fn render_sms<T: SmsTemplate>(
        &self,
        context: &T,
        language: &str,
    ) -> Result<RenderedSms, TemplateError> {
        let language = self.nearest(language, T::NAME, "sms.txt");
        let base = context! { language => language, ..Value::from(Serde(context)) };
        let text = self.render(format!("{language}/{}.sms.txt", T::NAME), base)?;
        Ok(RenderedSms { template: T::NAME, language: language.to_owned(), text: text.trim().to_owned() })
    }

    fn render(&self, file: String, context: Value) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(&file).and_then(|template| template.render(context));
        match rendered {
            Ok(text) if text.trim().is_empty() => Err(TemplateError::Empty { file }),
            Ok(text) => Ok(text),
            Err(cause) => Err(TemplateError::Render { file, cause }),
        }
    }

    /// Finds the folder for a language tag: the tag itself, then without its last subtag, and so
    /// on, then English.
    fn nearest(&self, wanted: &str, name: &str, ending: &str) -> &str {
        let mut wanted = wanted.to_ascii_lowercase().replace('_', "-");
        loop {
            let has_it = |language: &&String| {
                **language == wanted
                    && self.environment.get_template(&format!("{language}/{name}.{ending}")).is_ok()
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

    fn check(&self) -> Result<(), TemplateError> {
        for language in &self.languages {
            self.check_email::<ValidateEmail>(language)?;
            self.check_email::<AddressInUseEmail>(language)?;
            self.check_email::<NoAccountEmail>(language)?;
            self.check_email::<AccountChangedEmail>(language)?;
            self.check_email::<InvitationEmail>(language)?;
            self.check_sms::<ValidateMsisdn>(language)?;
            self.check_sms::<AddressInUseSms>(language)?;
            self.check_sms::<NoAccountSms>(language)?;
            self.check_sms::<AccountChangedSms>(language)?;
        }
        Ok(())
    }

    fn check_email<T: EmailTemplate>(&self, language: &str) -> Result<(), TemplateError> {
        T::samples().iter().try_for_each(|sample| self.render_email(sample, language).map(drop))
    }

    fn check_sms<T: SmsTemplate>(&self, language: &str) -> Result<(), TemplateError> {
        T::samples().iter().try_for_each(|sample| self.render_sms(sample, language).map(drop))
    }
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

/// Leaves the slashes of a URL alone, unlike minijinja: mail filters distrust links in disguise.
fn format_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if *state.auto_escape() == AutoEscape::Html && !value.is_safe() {
        return out
            .write_str(&markup::escape(&value.to_string()))
            .map_err(|_| ErrorKind::WriteFailure.into());
    }
    escape_formatter(out, state, value)
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
mod tests {
    use std::{error::Error as _, fs};

    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, source) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, source).unwrap();
        }
        Templates::load(Some(folder.path()))
    }

    fn refused(files: &[(&str, &str)]) -> String {
        let Err(error) = load(files) else { panic!("the templates were accepted") };
        match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        }
    }

    fn sms(templates: &Templates, language: &str) -> String {
        templates.render_sms(&ValidateMsisdn::samples()[0], language).unwrap().text
    }

    #[test]
    fn a_file_of_the_same_name_wins() {
        let templates =
            load(&[("en/validate_msisdn.sms.txt", "Code: {{ code }}"), (".gitkeep", "")]).unwrap();
        assert_eq!(sms(&templates, "en"), "Code: 123456");
        let mail = templates.render_email(&NoAccountEmail::samples()[0], "en").unwrap();
        assert!(mail.text.contains("example.org"));
    }

    #[test]
    fn languages_fall_back_tag_by_tag_and_message_by_message() {
        let templates = load(&[
            ("de/validate_msisdn.sms.txt", "Ihr Code: {{ code }}"),
            ("pt-BR/validate_msisdn.sms.txt", "Seu codigo: {{ code }}"),
        ])
        .unwrap();
        for (language, begins) in [
            ("de", "Ihr"),
            ("de-AT", "Ihr"),
            ("DE_ch-1996", "Ihr"),
            ("pt-br", "Seu"),
            ("pt", "123456 is"),
            ("", "123456 is"),
            ("../../etc", "123456 is"),
        ] {
            assert!(sms(&templates, language).starts_with(begins), "{language}");
        }
        let mail = templates.render_email(&NoAccountEmail::samples()[0], "de").unwrap();
        assert_eq!(mail.language, "en");
    }

    #[test]
    fn mistakes_are_refused_at_start() {
        assert!(refused(&[("en/validate_msidn.sms.txt", "x")]).contains("not the name of a template"));
        assert!(refused(&[("layuot.html", "x")]).contains("not the name of a template"));
        assert!(refused(&[("deutsch/no_account.sms.txt", "x")]).contains("not named after a language"));
        assert!(refused(&[("de/no_account.txt", "x")]).contains("de/no_account.subject.txt is missing"));
        assert!(refused(&[("en/no_account.sms.txt", "{{ sever_name }}")]).contains("en/no_account.sms.txt"));
        assert!(refused(&[("en/no_account.sms.txt", "{{ server_name ")]).contains("en/no_account.sms.txt"));
        assert!(refused(&[("en/no_account.sms.txt", " \n")]).contains("renders to nothing"));
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(refused(&[("en/no_account.sms.txt", endless)]).contains("fuel"));
    }

    #[test]
    fn subjects_are_one_line_without_control_characters() {
        let templates =
            load(&[("en/no_account.subject.txt", "\n Hello\r\nBcc: x\u{7}{{ server_name }}  \n")]).unwrap();
        let mail = templates.render_email(&NoAccountEmail::samples()[0], "en").unwrap();
        assert_eq!(mail.subject, "Hello Bcc: x example.org");
    }

    #[test]
    fn values_are_escaped_in_html_and_plain_in_text() {
        let templates = Templates::load(None).unwrap();
        let context = NoAccountEmail { server_name: "<b>A&B</b>".to_owned(), not_me_link: None };
        let mail = templates.render_email(&context, "en").unwrap();
        assert!(mail.text.contains("<b>A&B</b>") && mail.subject.contains("<b>A&B</b>"));
        assert!(mail.html.contains("&lt;b&gt;A&amp;B&lt;/b&gt;") && !mail.html.contains("<b>A"));
    }
}
