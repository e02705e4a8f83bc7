//! The steps from one version of the tables to the next, for every backend (docs/decisions/0010).

use crate::StorageError;

/// A step. Never edited after release. Nodes of the version before go on working while it is applied and after it: what they
/// still need is taken away by a later one.
pub(crate) struct Migration {
    /// The name of its files: number, underscore, name.
    file: &'static str,
    /// What it does on SQLite.
    pub(crate) sqlite: &'static str,
    /// What it does on PostgreSQL.
    pub(crate) postgres: &'static str,
}

/// A migration by the name of its files, which both folders must have.
macro_rules! migration {
    ($file:literal) => {
        Migration {
            file: $file,
            sqlite: include_str!(concat!("../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $file, ".sql")),
        }
    };
}

/// All of them, in order: a line for each.
pub(crate) const MIGRATIONS: &[Migration] = &[
    migration!("0001_first_light"),
    migration!("0002_client_api"),
    migration!("0003_openid_devices"),
    migration!("0004_identity_service"),
];

impl Migration {
    /// Its place in the order, from 1.
    pub(crate) fn number(&self) -> i64 {
        self.split().0.parse().expect("a test reads all names")
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.split().1
    }

    /// One that no file holds, for tests.
    #[cfg(test)]
    pub(crate) const fn of_test(file: &'static str, sqlite: &'static str, postgres: &'static str) -> Self {
        Self { file, sqlite, postgres }
    }

    fn split(&self) -> (&'static str, &'static str) {
        self.file.split_once('_').expect("a test reads all names")
    }
}

/// What is left to apply after those with the numbers `applied`, in ascending order.
///
/// # Errors
/// [`StorageError::Schema`] when `applied` does not begin the list: the tables are those of a newer version, or miss a step.
pub(crate) fn missing<'known>(
    known: &'known [Migration],
    applied: &[i64],
) -> Result<&'known [Migration], StorageError> {
    let both = known.iter().zip(applied);
    let in_order = both.take_while(|(migration, number)| migration.number() == **number).count();
    if in_order == applied.len() { Ok(&known[in_order..]) } else { Err(refusal(known, applied, in_order)) }
}

/// Refuses tables to which not all of `known` and nothing else was applied.
///
/// # Errors
/// [`StorageError::Schema`] when they are older or newer than those of this version, or miss a step.
pub(crate) fn check(known: &[Migration], applied: &[i64]) -> Result<(), StorageError> {
    let missing = missing(known, applied)?;
    if missing.is_empty() { Ok(()) } else { Err(refusal(known, applied, applied.len())) }
}

fn refusal(known: &[Migration], applied: &[i64], in_order: usize) -> StorageError {
    let last_known = known.last().map_or(0, Migration::number);
    let last_applied = applied.last().copied().unwrap_or(0);
    let before_gap = known[..in_order].last().map_or(0, Migration::number);
    let found = if last_known < last_applied { last_applied } else { before_gap };
    StorageError::Schema { found, known: last_known }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    const KNOWN: &[Migration] = &[step("0001_one"), step("0002_two"), step("0003_three")];

    const fn step(file: &'static str) -> Migration {
        Migration::of_test(file, "", "")
    }

    #[test]
    fn every_file_is_in_the_list_and_numbers_have_no_gap() {
        for (migration, number) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(migration.file, format!("{number:04}_{}", migration.name()));
            assert_eq!(migration.number(), number);
        }
        let listed: BTreeSet<_> =
            MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.file)).collect();
        for backend in ["sqlite", "postgres"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(backend);
            let files: BTreeSet<_> = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            assert_eq!(files, listed, "{backend}: a migration is a file and a line in src/migrations.rs");
        }
    }

    #[test]
    fn what_is_missing_comes_after_what_was_applied() {
        for (applied, missing_numbers) in
            [(&[][..], &[1, 2, 3][..]), (&[1], &[2, 3]), (&[1, 2], &[3]), (&[1, 2, 3], &[])]
        {
            let missing: Vec<_> = missing(KNOWN, applied).unwrap().iter().map(Migration::number).collect();
            assert_eq!(missing, missing_numbers, "{applied:?}");
            assert_eq!(check(KNOWN, applied).is_ok(), missing.is_empty(), "{applied:?}");
        }
    }

    #[test]
    fn newer_tables_and_tables_that_miss_a_step_are_refused() {
        let cases =
            [(&[1, 2, 3, 4][..], 4), (&[1, 2, 9], 9), (&[1, 3], 1), (&[2, 3], 0), (&[0], 0), (&[0, 1], 0)];
        for (applied, number) in cases {
            let refused = missing(KNOWN, applied).map(|_| ()).unwrap_err();
            assert!(
                matches!(refused, StorageError::Schema { found, known: 3 } if found == number),
                "{applied:?}: {refused:?}"
            );
        }
    }
}
