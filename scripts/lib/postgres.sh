#!/usr/bin/env bash
# A throw-away PostgreSQL cluster for tests. Usage: scripts/lib/postgres.sh url|stop
#
# `url` starts the cluster unless it runs, and prints where it is. It lives in a folder for temporary files, is reached by
# a socket in there only, and ends by itself, folder and all, once no test has used it for a minute, or for
# COUNTERSIGN_TEST_POSTGRES_IDLE_SECONDS; `stop` ends it now.
# PostgreSQL refuses to run as root, so then the user `postgres` runs it. Nothing in it is safe from a power cut.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder="${COUNTERSIGN_TEST_POSTGRES_FOLDER:-${TMPDIR:-/tmp}/countersign-postgres-$(id -u)-$(printf %s "$root" | cksum | cut -d' ' -f1)}"
idle_seconds="${COUNTERSIGN_TEST_POSTGRES_IDLE_SECONDS:-60}"

# The newest that Debian has here, or what is on the path.
bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
bin=${bin:-$(dirname "$(command -v pg_ctl || echo /nowhere/pg_ctl)")}

as_owner() {
  if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups --reset-env -- "$@"; else "$@"; fi
}

query() { as_owner "$bin/psql" -h "$folder" -U postgres -d postgres -qAtX -c "$1" 2>/dev/null; }

start() {
  if ! [ -x "$bin/initdb" ]; then
    echo "PostgreSQL is not installed: apt-get install postgresql, or let scripts/test do it" >&2
    exit 1
  fi
  rm -rf "$folder"
  mkdir -m 700 "$folder"
  [ "$(id -u)" -ne 0 ] || chown postgres: "$folder"
  cd "$folder"
  as_owner "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb.log"
  as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -s -o "-c listen_addresses= \
    -c unix_socket_directories='$folder' -c max_connections=300 -c shared_buffers=64MB -c fsync=off \
    -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off -c deadlock_timeout=200ms" start 9>&-
  # Ends with the last test, not with the shell that happened to start it.
  setsid "$root/scripts/lib/postgres.sh" watch </dev/null >/dev/null 2>&1 9>&- &
}

stop() {
  cd /
  as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -s stop 2>/dev/null || true
  rm -rf "$folder"
}

watch() {
  local idle=0
  while [ -d "$folder/data" ] && [ "$idle" -lt "$idle_seconds" ]; do
    sleep 5
    case "$(query "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")" in
      0 | "") idle=$((idle + 5)) ;;
      *) idle=0 ;;
    esac
  done
  exec 9>"$folder.lock"
  flock 9
  stop
}

case "${1:-}" in
  url)
    exec 9>"$folder.lock"
    flock 9
    [ "$(query 'select 1')" = 1 ] || start
    echo "postgres:///postgres?host=$folder&user=postgres"
    ;;
  watch) watch ;;
  stop) stop ;;
  *)
    echo "Usage: scripts/lib/postgres.sh url|stop" >&2
    exit 2
    ;;
esac
