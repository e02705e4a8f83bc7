//! The hashes of the pages' style sheets, so that their policy allows these and no others (CSP Level 3, 8.3).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// Adds the `'sha256-…'` of every `<style>` of a page.
pub(super) fn collect(html: &str, hashes: &mut BTreeSet<String>) {
    let mut rest = html;
    while let Some((_, after)) = rest.split_once("<style>") {
        let (sheet, after) = after.split_once("</style>").unwrap_or((after, ""));
        hashes.insert(format!("'sha256-{}'", STANDARD.encode(Sha256::digest(sheet))));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_sheet_is_hashed_once_as_it_stands() {
        let mut hashes = BTreeSet::new();
        collect("<style>a</style><p>b</p><style> c\n</style><style>a</style>", &mut hashes);
        assert_eq!(hashes.len(), 2);
        // printf a | openssl dgst -sha256 -binary | base64
        assert!(hashes.contains("'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"));
    }
}
