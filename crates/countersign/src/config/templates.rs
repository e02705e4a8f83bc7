//! `[templates]`: where an operator's own templates are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// Where an operator's own templates are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplatesConfig {
    /// A folder whose files replace the built-in templates of the same name; the others stay built in.
    pub folder: Option<PathBuf>,
}

impl TemplatesConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(folder) = self.folder.as_deref().filter(|folder| !folder.is_dir()) {
            problems.add("templates.folder", format!("{} is not a folder", folder.display()));
        }
    }
}
