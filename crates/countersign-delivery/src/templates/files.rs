//! Where the templates' text comes from: the built-in files, and the operator's folder over them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The language that is always complete.
pub(super) const FALLBACK_LANGUAGE: &str = "en";

const EMAIL_ENDINGS: [&str; 3] = ["subject.txt", "txt", "html"];

const BUILT_IN: &[(&str, &str)] = &[
    ("layout.html", include_str!("../../templates/layout.html")),
    ("en/validate_email.subject.txt", include_str!("../../templates/en/validate_email.subject.txt")),
    ("en/validate_email.txt", include_str!("../../templates/en/validate_email.txt")),
    ("en/validate_email.html", include_str!("../../templates/en/validate_email.html")),
    ("en/address_in_use.subject.txt", include_str!("../../templates/en/address_in_use.subject.txt")),
    ("en/address_in_use.txt", include_str!("../../templates/en/address_in_use.txt")),
    ("en/address_in_use.html", include_str!("../../templates/en/address_in_use.html")),
    ("en/no_account.subject.txt", include_str!("../../templates/en/no_account.subject.txt")),
    ("en/no_account.txt", include_str!("../../templates/en/no_account.txt")),
    ("en/no_account.html", include_str!("../../templates/en/no_account.html")),
    ("en/account_changed.subject.txt", include_str!("../../templates/en/account_changed.subject.txt")),
    ("en/account_changed.txt", include_str!("../../templates/en/account_changed.txt")),
    ("en/account_changed.html", include_str!("../../templates/en/account_changed.html")),
    ("en/invitation.subject.txt", include_str!("../../templates/en/invitation.subject.txt")),
    ("en/invitation.txt", include_str!("../../templates/en/invitation.txt")),
    ("en/invitation.html", include_str!("../../templates/en/invitation.html")),
    ("en/validate_msisdn.sms.txt", include_str!("../../templates/en/validate_msisdn.sms.txt")),
    ("en/address_in_use.sms.txt", include_str!("../../templates/en/address_in_use.sms.txt")),
    ("en/no_account.sms.txt", include_str!("../../templates/en/no_account.sms.txt")),
    ("en/account_changed.sms.txt", include_str!("../../templates/en/account_changed.sms.txt")),
];

/// The folder of templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateFilesError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file that no message uses, most likely a misspelt name.
    #[error("{} is not the name of a template; parts to include begin with an underscore", path.display())]
    Unknown {
        /// Which one.
        path: PathBuf,
    },
    /// A folder that is not named after a language.
    #[error("{} is not named after a language, such as `de` or `pt-BR`", path.display())]
    NotALanguage {
        /// Which one.
        path: PathBuf,
    },
    /// A mail of which only some of the three files are there.
    #[error("{missing} is missing, beside the other files of that mail")]
    Incomplete {
        /// The name of the missing file.
        missing: String,
    },
}

/// Collects the sources by name: the built-in ones, replaced and joined by the folder's.
pub(super) fn collect(folder: Option<&Path>) -> Result<BTreeMap<String, String>, TemplateFilesError> {
    let mut sources: BTreeMap<String, String> =
        BUILT_IN.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect();
    if let Some(folder) = folder {
        for (name, path) in entries(folder)? {
            if path.is_dir() {
                collect_language(&name, &path, &mut sources)?;
            } else if name == "layout.html" || name.starts_with('_') {
                sources.insert(name, read(&path)?);
            } else {
                return Err(TemplateFilesError::Unknown { path });
            }
        }
    }
    check_complete(&sources)?;
    Ok(sources)
}

fn collect_language(
    language: &str,
    folder: &Path,
    sources: &mut BTreeMap<String, String>,
) -> Result<(), TemplateFilesError> {
    if !is_language(language) {
        return Err(TemplateFilesError::NotALanguage { path: folder.to_owned() });
    }
    let language = language.to_ascii_lowercase();
    for (name, path) in entries(folder)? {
        let known = BUILT_IN.iter().any(|(built_in, _)| *built_in == format!("{FALLBACK_LANGUAGE}/{name}"));
        if !known && !name.starts_with('_') {
            return Err(TemplateFilesError::Unknown { path });
        }
        sources.insert(format!("{language}/{name}"), read(&path)?);
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, TemplateFilesError> {
    let failed = |cause| TemplateFilesError::Read { path: folder.to_owned(), cause };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

fn read(path: &Path) -> Result<String, TemplateFilesError> {
    fs::read_to_string(path).map_err(|cause| TemplateFilesError::Read { path: path.to_owned(), cause })
}

/// A language has a mail whole or not at all, so that no mail mixes two languages.
fn check_complete(sources: &BTreeMap<String, String>) -> Result<(), TemplateFilesError> {
    for name in sources.keys() {
        let Some((mail, _)) = name.split_once('.') else { continue };
        if !name.contains('/') || name.contains("/_") || name.ends_with(".sms.txt") {
            continue;
        }
        for ending in EMAIL_ENDINGS {
            let needed = format!("{mail}.{ending}");
            if !sources.contains_key(&needed) {
                return Err(TemplateFilesError::Incomplete { missing: needed });
            }
        }
    }
    Ok(())
}

fn is_language(name: &str) -> bool {
    let mut subtags = name.split('-');
    let primary = subtags.next().unwrap_or("");
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()))
}
