#!/bin/sh
# Makes .venv what the lock says: requirements.lock, with `test` requirements-dev.lock. `make` calls
# it before each command, so it ends at once where nothing is to be done.
#
# It takes uv from the PATH; without one pip puts the version of requirements-dev.lock into .venv.
# Whatever is downloaded is compared with the hashes of the lock. PYTHON names the interpreter;
# without it a .venv that works keeps its own.
# RETRY is what was typed, for messages.
set -eu
cd "$(dirname "$0")"
here=$(pwd -P)
want=${1:-run}
venv_python=.venv/bin/python
retry=${RETRY:-sh install.sh}

# Of requirements.lock, measured on Linux; a test compares the second.
DOWNLOAD_MB=260
DISK_MB=870

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}

# Version, its first two numbers, base interpreter, and whether it is new enough; any Python runs it.
ASK='
import sys
v = sys.version_info
base = getattr(sys, "_base_executable", None) or sys.executable
print("%d.%d.%d|%d.%d|%s|%s|%s" % (v[0], v[1], v[2], v[0], v[1], base, getattr(sys, "base_prefix", sys.prefix), v >= (3, 11)))
'
describe() { # $1: an interpreter; sets version, short, executable, prefix, new
  answer=$("$1" -c "$ASK" 2>/dev/null) || return 1
  IFS='|' read -r version short executable prefix new <<EOF
$answer
EOF
  [ -n "${new:-}" ]
}

# What to type, with an interpreter of this machine that is new enough where there is one.
another() {
  for name in python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "PYTHON=$name $retry chooses another"
      return
    fi
  done
  echo "PYTHON=/path/to/python3.12 $retry chooses another"
}

check_python() { # sets what `describe` sets, of the interpreter that is asked for
  chosen=${PYTHON:-python3}
  found=$(command -v "$chosen") ||
    fail "$chosen: no such command; Python 3.11 or newer is needed; $(another)"
  describe "$chosen" || fail "$chosen at $found does not start; $(another)"
  [ "$new" = True ] ||
    fail "Python $version at $found: 3.11 or newer is needed; $(another)"
}

# Why .venv can't be kept; nothing where it can.
why_anew() {
  [ -e .venv ] || return 0
  describe "$venv_python" || { echo "its Python is gone"; return; }
  [ "$new" = True ] || { echo "its Python is $version"; return; }
  [ -d ".venv/lib/python$short/site-packages" ] || { echo "it was made by another Python"; return; }
  grep -qF "$here/.venv" .venv/bin/activate 2>/dev/null || { echo "its folder was moved"; return; }
  [ -n "${PYTHON:-}" ] || return 0
  kept="$short $prefix"
  check_python
  [ "$short $prefix" = "$kept" ] || echo "PYTHON asks for Python $version at $executable"
}

reason=$(why_anew)
if [ -n "$reason" ] || [ ! -e .venv ]; then
  check_python
elif cat requirements.lock pyproject.toml | cmp -s - .venv/run &&
  { [ "$want" = run ] || cmp -s requirements-dev.lock .venv/test; }; then
  exit 0
fi
uv=uv
uv --version >/dev/null 2>&1 || uv=.venv/bin/uv
if [ -n "$reason" ]; then
  [ -e .venv/pyvenv.cfg ] || rmdir .venv 2>/dev/null ||
    fail ".venv is no virtual environment; move it away, then: $retry"
  say "Making .venv anew: $reason."
  rm -rf .venv
fi
if [ ! -e .venv ] && [ "$uv" = uv ]; then
  uv venv -q --python "$executable" .venv
elif [ ! -e .venv ]; then
  "$executable" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python $version at $executable has no ensurepip: install Debian's python3-venv, or uv;" \
      "$(another)"
  "$executable" -m venv .venv
fi

rm -f .venv/run .venv/test
lock=requirements.lock
[ "$want" = run ] || lock=requirements-dev.lock DOWNLOAD_MB=410 DISK_MB=1360
say "Installing the $(grep -c '^[A-Za-z].*==' $lock) packages of $lock into .venv ($DISK_MB MB on disk," \
  "$DOWNLOAD_MB MB to download): seconds where they are cached or the network is fast, else minutes."
if [ "$uv" != uv ]; then
  "$venv_python" -m pip --version >/dev/null 2>&1 || "$venv_python" -m ensurepip >/dev/null
  sed -n '/^uv==/,/[^\\]$/p' requirements-dev.lock | "$venv_python" -m pip install -q \
    --disable-pip-version-check --no-deps --require-hashes -r /dev/stdin ||
    fail "uv is not installed: pip says above why; then: $retry"
fi
quiet=-q # uv's progress is for a terminal
[ ! -t 2 ] || quiet=
"$uv" pip install $quiet --python "$venv_python" --no-deps --require-hashes -r $lock ||
  fail "$lock is not installed: uv says above why. Hash mismatch: what was sent is not what was" \
    "locked, so don't use it. Anything else: mend it, then: $retry"
# With the setuptools of the lock, so that nothing comes in by its name alone.
"$uv" pip install -q --python "$venv_python" --no-deps --no-build-isolation -e . ||
  fail "the project itself is not installed: uv says above why; then: $retry"
cat requirements.lock pyproject.toml >.venv/run
[ "$want" = run ] || cp requirements-dev.lock .venv/test
