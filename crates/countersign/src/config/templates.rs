//! `[templates]`: where an operator's own templates are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// Where an operator's own templates are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplatesConfig {
    /// A folder whose files replace the built-in templates of messages of the same name; the others stay built in.
    pub folder: Option<PathBuf>,
    /// The same for the pages that people see in their browser.
    pub pages_folder: Option<PathBuf>,
}

impl TemplatesConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let folders = [("templates.folder", &self.folder), ("templates.pages_folder", &self.pages_folder)];
        for (key, folder) in folders {
            if let Some(folder) = folder.as_deref().filter(|folder| !folder.is_dir()) {
                problems.add(key, format!("{} is not a folder", folder.display()));
            }
        }
    }
}
