//! The hashes of the pages' style sheets and of their one script, so that their policy allows these and no others
//! (CSP Level 3, 8.3).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// An element whose text a policy allows by its hash.
#[derive(Clone, Copy)]
pub(super) enum Inline {
    Style,
    Script,
}

/// Adds the `'sha256-…'` of every `<style>` or `<script>` of a page.
pub(super) fn collect(html: &str, inline: Inline, hashes: &mut BTreeSet<String>) {
    let (begin, end) = match inline {
        Inline::Style => ("<style>", "</style>"),
        Inline::Script => ("<script>", "</script>"),
    };
    let mut rest = html;
    while let Some((_, after)) = rest.split_once(begin) {
        let (text, after) = after.split_once(end).unwrap_or((after, ""));
        hashes.insert(format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_sheet_is_hashed_once_as_it_stands() {
        let mut hashes = BTreeSet::new();
        let page = "<style>a</style><script>d</script><p>b</p><style> c\n</style><style>a</style>";
        collect(page, Inline::Style, &mut hashes);
        assert_eq!(hashes.len(), 2);
        // printf a | openssl dgst -sha256 -binary | base64
        assert!(hashes.contains("'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"));
        collect(page, Inline::Script, &mut hashes);
        assert_eq!(hashes.len(), 3);
    }
}
