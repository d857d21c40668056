# What all verbs share; sourced, never run.
# shellcheck shell=bash
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
path_outside=$PATH # as it was before the environment's programs came first

venv=${FLOWBOOK_VENV:-${VIRTUAL_ENV:-$root/.venv}}
export PATH="$venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUTF8=1

say() { printf '\n\033[1m── %s\033[0m\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# timed <title> <command…>: run the command under a header and tell how long it took; keep its exit code.
timed() {
  local title=$1 begin=$SECONDS code
  shift
  say "$title"
  # Not `"$@" || code=$?`: bash forgets errexit inside a function that is called there.
  set +e
  (
    set -e
    "$@"
  )
  code=$?
  set -e
  if ((code == 0)); then
    printf '   %s: good, %ds\n' "$title" $((SECONDS - begin))
  else
    printf '   %s: FAILED with code %d after %ds\n' "$title" "$code" $((SECONDS - begin))
  fi
  return "$code"
}

require_environment() {
  [[ -x $venv/bin/python ]] || fail "no Python environment at $venv. Run: bash .ci/install"
}

# npm of the Node that also builds js/: the system's, or the one that comes with a Python package.
npm() { python js/hatch_build.py npm "$@"; }

# readme_command <name>: print the command block that follows the line "<!-- command: <name> -->" of the README.
readme_command() {
  awk -v marker="<!-- command: $1 -->" '
    $0 == marker { found = 1; next }
    found && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }
  ' README.md
}
