# shellcheck shell=bash
# Functions that the scripts of this folder share. Each script begins with
#     source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# and then runs in the root of the repository, with one target folder for all scripts.

set -euo pipefail

# A relative target folder means the caller's folder, not ours.
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
  CARGO_TARGET_DIR=$(realpath -m "$CARGO_TARGET_DIR")
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

# fail MESSAGE: prints the message on standard error and ends the script.
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# apt_install [OPTION...] PACKAGE...: installs Debian packages; a server among them is not started. With
# NO_INSTALL=1 it fails instead, and names them.
apt_install() {
  [ -z "${NO_INSTALL:-}" ] && command -v apt-get >/dev/null || fail "please install: $*"
  (
    # One at a time, where scripts run beside each other.
    mkdir -p "$CARGO_TARGET_DIR"
    exec 9>"$CARGO_TARGET_DIR/apt.lock"
    flock 9
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@"
  )
}

# need_apt COMMAND[:PACKAGE]...: installs the Debian package of each command that is missing.
need_apt() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair##*:}")
  done
  [ ${#packages[@]} -eq 0 ] || apt_install "${packages[@]}"
}

# need_python: installs Python 3 with virtual environments (on Debian, `ensurepip` is a separate package).
need_python() {
  need_apt python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
}

# python_venv NAME REQUIREMENTS: makes the virtual environment NAME from a requirements file, unless it exists and the
# file has not changed, and prints its folder.
python_venv() {
  local venv=$CARGO_TARGET_DIR/tools/$1
  if ! cmp -s "$2" "$venv/requirements.txt"; then
    need_python >&2
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2" >&2
    cp "$2" "$venv/requirements.txt"
  fi
  printf '%s\n' "$venv"
}

# tool NAME: prints the path of a program from the environment of scripts/tools.txt.
tool() {
  local venv
  venv=$(python_venv tools scripts/tools.txt)
  printf '%s\n' "$venv/bin/$1"
}

# cargo_tool NAME VERSION: installs a program of this version with cargo, unless it is installed, and prints the
# folder that it is in. Built without optimisation and without debug information: that takes a minute.
cargo_tool() {
  local root=$CARGO_TARGET_DIR/tools
  if [ "$("$root/bin/$1" "${1#cargo-}" --version 2>/dev/null)" != "$1 $2" ]; then
    CARGO_TARGET_DIR=$scratch/build CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 \
      cargo install --quiet --locked --debug --root "$root" "$1@$2" >&2
  fi
  printf '%s\n' "$root/bin"
}

# count_lines FOLDER: with MEASURE_COVERAGE=1, has the crates of the workspace built so that they count which lines run,
# and write that to this folder of the target folder.
count_lines() {
  [ -n "${MEASURE_COVERAGE:-}" ] || return 0
  export RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/instrumented-rustc
  export LLVM_PROFILE_FILE=$CARGO_TARGET_DIR/tmp/$1/%2m.profraw
}

# build_programs: builds all programs of the workspace into $CARGO_TARGET_DIR/debug. With the features that the tests
# have, so that scripts/test and the scripts that start programs share one build.
build_programs() {
  count_lines profiles-of-programs
  cargo build --quiet --workspace --all-features --bins --tests
}

# wait_for_line FILE PATTERN SECONDS [PID]: waits until a line of FILE matches; fails after that
# time, or as soon as the process has ended.
wait_for_line() {
  local end=$((SECONDS + $3))
  until grep -qE -- "$2" "$1" 2>/dev/null; do
    if [ -n "${4:-}" ] && ! kill -0 "$4" 2>/dev/null; then
      cat "$1" >&2
      fail "the process ended before it said '$2'"
    fi
    if [ "$SECONDS" -ge "$end" ]; then
      cat "$1" >&2
      fail "no line '$2' within $3 s"
    fi
    sleep 0.05
  done
}

# run_checks SCRIPT...: runs these scripts of this folder in order, each word with its arguments, and prints the
# time of each. The first one that fails ends the run.
run_checks() {
  local check start status times=()
  for check; do
    [ -x "scripts/${check%% *}" ] || fail "there is no scripts/${check%% *}"
  done
  for check; do
    printf '\n== scripts/%s\n' "$check"
    start=$SECONDS
    # shellcheck disable=SC2086 # The arguments are words.
    scripts/$check </dev/null || {
      status=$?
      printf '\n== scripts/%s failed after %d s\n' "$check" $((SECONDS - start))
      exit "$status"
    }
    times+=("$(printf '%5d s  scripts/%s' $((SECONDS - start)) "$check")")
    printf '== scripts/%s: %d s\n' "$check" $((SECONDS - start))
  done
  printf '\nthese checks passed\n'
  printf '%s\n' "${times[@]}"
}

# run_checks_beside SCRIPT...: does that in the background, and keeps the output for wait_for_checks_beside. They are
# stopped when the script ends.
run_checks_beside() {
  set -m # A process group of its own.
  run_checks "$@" >"$scratch/beside" 2>&1 &
  set +m
  servers+=("-$!")
}

# wait_for_checks_beside: waits for them, and prints their output. Fails if one of them has.
wait_for_checks_beside() {
  local status=0
  wait "${servers[-1]#-}" || status=$?
  cat "$scratch/beside"
  return "$status"
}

servers=()
postgres_servers=()
scratch=$(mktemp -d)

# start_server COMMAND...: runs the command in the background, waits until it prints its address, and sets `server`
# (its process) and `address` (http://HOST:PORT). It is stopped when the script ends.
start_server() {
  local log=$scratch/server-${#servers[@]}
  "$@" >"$log" 2>&1 </dev/null &
  server=$!
  servers+=("$server")
  wait_for_line "$log" '^listening on http' 30 "$server"
  address=$(sed -n 's/^listening on //p' "$log" | head -n 1)
}

# postgres_programs: prints the folder of PostgreSQL's server programs, which Debian keeps out of the path.
postgres_programs() {
  ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1
}

# need_postgres: installs PostgreSQL's server, which is not started.
need_postgres() {
  [ -n "$(postgres_programs)" ] || apt_install postgresql
}

# start_postgres [OPTION...]: starts PostgreSQL with these options on a free port of the loopback interface, with its
# data in a temporary folder, and sets `postgres_url` (a user who may make databases) and `postgres_data` (the folder).
# It does not run as root. It is stopped when the script ends.
start_postgres() {
  need_postgres
  local programs port as=()
  programs=$(postgres_programs)
  postgres_data=$scratch/postgres-${#servers[@]}
  port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir -p "$postgres_data"
  if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chmod a+x "$scratch"
    chown postgres: "$postgres_data"
  fi
  "${as[@]}" "$programs/initdb" -D "$postgres_data" -A trust -U service -E UTF8 --no-locale >/dev/null
  # Without fsync: no test cuts the power, and a busy disk would make requests wait past their limits.
  "${as[@]}" "$programs/postgres" -D "$postgres_data" -p "$port" -h 127.0.0.1 -k '' -c fsync=off "$@" \
    >"$scratch/postgres.log" 2>&1 </dev/null &
  servers+=("$!")
  postgres_servers+=("$!")
  wait_for_line "$scratch/postgres.log" 'ready to accept connections' 30 "$!"
  postgres_url=postgres://service@127.0.0.1:$port/postgres
}

# stop_server: stops the server that was started last, and waits until it has ended.
stop_server() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
}

cleanup() {
  local pid
  # At once: its data goes, and by SIGTERM it would wait for its clients.
  for pid in "${postgres_servers[@]}"; do
    kill -QUIT "$pid" 2>/dev/null || true
  done
  for pid in "${servers[@]}"; do
    kill -- "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT
