//! Whether what was accepted outlives the loss of the primary.

use super::{
    connection::Connection,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first},
};

/// Tells the log, at the start, when commits don't wait for a standby: then those of the last moments go with the primary.
/// Says nothing where the database knows no such settings.
pub(super) async fn warn_unless_synchronous(connection: &mut Connection) -> Outcome<()> {
    let select = Query::new(
        "select current_setting('synchronous_standby_names', true) as standbys,
            current_setting('synchronous_commit', true) as commit",
    );
    let [settings] = connection.run([select]).await?;
    let read = |row: &tokio_postgres::Row| {
        let mut columns = Columns::of("pg_settings", row);
        let mut text = |column| columns.parse_optional(column, |text| Some(text.to_owned()));
        Ok((text("standbys")?, text("commit")?))
    };
    let Some((Some(standbys), Some(commit))) = first(&settings.rows, read)? else { return Ok(()) };
    if let Some(why) = why_not_synchronous(&standbys, &commit) {
        tracing::warn!(
            "Commits wait for no standby ({why}): if PostgreSQL's primary is lost, what was accepted in its last moments is \
             lost as well. Give it a synchronous standby"
        );
    }
    Ok(())
}

fn why_not_synchronous(standbys: &str, commit: &str) -> Option<String> {
    if standbys.trim().is_empty() {
        return Some("synchronous_standby_names is empty".to_owned());
    }
    ["off", "local"].contains(&commit).then(|| format!("synchronous_commit is {commit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_must_wait_for_a_standby() {
        for (standbys, commit, why) in [
            ("", "on", Some("synchronous_standby_names is empty")),
            (" ", "remote_apply", Some("synchronous_standby_names is empty")),
            ("*", "off", Some("synchronous_commit is off")),
            ("ANY 1 (a, b)", "local", Some("synchronous_commit is local")),
            ("*", "on", None),
            ("a", "remote_write", None),
            ("a", "remote_apply", None),
        ] {
            assert_eq!(why_not_synchronous(standbys, commit).as_deref(), why, "{standbys:?} {commit}");
        }
    }
}
