//! Where the pages' text comes from: the built-in files, and the operator's folder over them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The language that is always complete.
pub(super) const FALLBACK_LANGUAGE: &str = "en";

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/pages/", $name)))),*]
    };
}

const BUILT_IN: &[(&str, &str)] = built_in![
    "layout.html",
    "en/_stage.html",
    "en/_suppress.html",
    "en/_words.html",
    "en/confirm.html",
    "en/confirmed.html",
    "en/error.html",
    "en/fallback_done.html",
    "en/fallback_dummy.html",
    "en/fallback_email.html",
    "en/fallback_expired.html",
    "en/fallback_msisdn.html",
    "en/fallback_registration_token.html",
    "en/fallback_terms.html",
    "en/inbox.html",
    "en/link_expired.html",
    "en/link_invalid.html",
    "en/not_me.html",
    "en/not_me_done.html",
    "en/not_me_suppressed.html",
    "en/not_me_too_late.html",
];

/// The script of the development inbox.
pub(crate) const INBOX_SCRIPT: &str = include_str!("../../templates/pages/inbox.js");

/// The folder of pages cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PageFilesError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file that is no page, most likely a misspelt name.
    #[error("{} is not the name of a page; parts to include begin with an underscore", path.display())]
    Unknown {
        /// Which one.
        path: PathBuf,
    },
    /// A folder that is not named after a language.
    #[error("{} is not named after a language, such as `de` or `pt-br`", path.display())]
    NotALanguage {
        /// Which one.
        path: PathBuf,
    },
}

/// Collects the sources by name: the built-in ones, replaced and joined by the folder's.
pub(super) fn collect(folder: Option<&Path>) -> Result<BTreeMap<String, String>, PageFilesError> {
    let mut sources: BTreeMap<String, String> =
        BUILT_IN.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect();
    let Some(folder) = folder else { return Ok(sources) };
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            collect_language(&name, &path, &mut sources)?;
        } else if name == "layout.html" || name.starts_with('_') {
            sources.insert(name, read(&path)?);
        } else {
            return Err(PageFilesError::Unknown { path });
        }
    }
    Ok(sources)
}

fn collect_language(
    language: &str,
    folder: &Path,
    sources: &mut BTreeMap<String, String>,
) -> Result<(), PageFilesError> {
    if !is_language(language) {
        return Err(PageFilesError::NotALanguage { path: folder.to_owned() });
    }
    let language = language.to_ascii_lowercase();
    for (name, path) in entries(folder)? {
        let known = BUILT_IN.iter().any(|(built_in, _)| *built_in == format!("{FALLBACK_LANGUAGE}/{name}"));
        if !known && !name.starts_with('_') {
            return Err(PageFilesError::Unknown { path });
        }
        sources.insert(format!("{language}/{name}"), read(&path)?);
    }
    Ok(())
}

/// A tag of two or three letters and subtags, as folders are named; stricter than what a reader may ask for.
fn is_language(name: &str) -> bool {
    let primary = name.split('-').next().unwrap_or_default();
    (2..=3).contains(&primary.len()) && countersign_core::Language::parse(name).is_some()
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, PageFilesError> {
    let failed = |cause| PageFilesError::Read { path: folder.to_owned(), cause };
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

fn read(path: &Path) -> Result<String, PageFilesError> {
    fs::read_to_string(path).map_err(|cause| PageFilesError::Read { path: path.to_owned(), cause })
}
