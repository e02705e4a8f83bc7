# What scripts/check and scripts/test share: announced steps, and one function for each tool that may be missing.
# Sourced, from the root of the repository.

# Tools that cargo installs for us live beside the build, and go with it.
tools="$PWD/target/tools"
export PATH="$PATH:$tools/bin"

if [ "${CI:-}" = true ]; then
  export CARGO_INCREMENTAL=0
fi

# Says what runs, runs it, and says how long it took; a failure names the step.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  if ! "$@"; then
    printf '\n== %s: FAILED after %d s\n' "$name" $((SECONDS - start)) >&2
    exit 1
  fi
  printf '== %s: passed in %d s\n' "$name" $((SECONDS - start))
}

has() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages, or says which ones someone else must install.
apt_install() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo && as_root=(sudo)
  fi
  if ! has apt-get || { [ "$(id -u)" -ne 0 ] && [ ${#as_root[@]} -eq 0 ]; }; then
    echo "Please install what these Debian packages hold, then try again: $*" >&2
    exit 1
  fi
  printf '\n== set-up: installing %s\n' "$*"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# For linking, and for SQLite's C code.
need_cc() {
  if ! has cc; then apt_install gcc libc6-dev; fi
}

# For the tests that look at pages as a reader does.
need_chromium() {
  if ! has chromium || ! has chromedriver; then apt_install chromium chromium-driver; fi
}

# For the tests that hand mail to a real server. Debian's Python, for its packages are not those of another one.
need_smtp_server() {
  if ! /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null; then apt_install python3 python3-aiosmtpd; fi
}

# For the tests on PostgreSQL.
need_postgres() {
  if ! has pg_ctl && ! ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1; then apt_install postgresql; fi
}

# For the test with a pooler in front of PostgreSQL.
need_pgbouncer() {
  if ! [ -x /usr/sbin/pgbouncer ]; then apt_install pgbouncer; fi
}

# For the fuzz run of the API: a Python package with all that it needs, in a place of its own.
need_schemathesis() {
  local home="$tools/schemathesis" wanted=scripts/lib/schemathesis.txt
  if cmp -s "$wanted" "$home/installed.txt"; then return; fi
  if ! python3 -c 'import ensurepip' 2>/dev/null; then apt_install python3 python3-venv; fi
  echo "== set-up: installing schemathesis, once"
  rm -rf "$home"
  # Debian's own, where another Python that comes first lacks what a virtual environment needs.
  if ! python3 -m venv "$home" 2>/dev/null; then /usr/bin/python3 -m venv --clear "$home"; fi
  "$home/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$wanted"
  cp "$wanted" "$home/installed.txt"
}

need_machete() {
  if ! has cargo-machete; then
    step "set-up" cargo install cargo-machete --version 0.9.2 --locked --debug --quiet --root "$tools"
  fi
}

# Sets `runner`: nextest where it is or can be had, else what comes with cargo.
choose_runner() {
  runner=${COUNTERSIGN_TEST_RUNNER:-nextest}
  if [ "$runner" = nextest ] && ! has cargo-nextest; then
    echo "== set-up: installing cargo-nextest, once; COUNTERSIGN_TEST_RUNNER=cargo does without"
    if ! cargo install cargo-nextest --locked --debug --quiet --root "$tools"; then
      echo "== set-up: cargo-nextest can't be installed here: using cargo test"
      runner=cargo
    fi
  fi
}
