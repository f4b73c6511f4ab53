# Creates Python virtual environments, for the tests that need packages from PyPI. Each such test sources this
# file, and defines the function `cannot`, which skips the test with a reason.

# Finds the first Python that is new enough and can create a virtual environment.
find_python() {
  local name
  for name in python3 python3.{14,13,12,11,10}; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      python=$name
      return
    fi
  done
  false
}

# Creates the virtual environment FOLDER/venv with the packages, unless it exists: virtual_environment FOLDER PACKAGE…
virtual_environment() {
  local folder=$1 lock options
  shift
  [ "$(cat "$folder/venv/packages" 2>/dev/null)" != "$*" ] || return 0
  if ! find_python && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    lock=(-o DPkg::Lock::Timeout=300)
    { apt-get "${lock[@]}" update && apt-get "${lock[@]}" install -y --no-install-recommends python3-venv; } \
      >"$folder.log" 2>&1 || true
  fi
  find_python || cannot "there is no Python 3.10 or later with venv"
  options=(--disable-pip-version-check --retries 2 --only-binary :all:)
  { "$python" -m venv --clear "$folder/venv" &&
    timeout 300 "$folder/venv/bin/python" -m pip install "${options[@]}" "$@"; } >"$folder.log" 2>&1 ||
    cannot "$* cannot be installed from PyPI (see $folder.log)"
  printf '%s\n' "$*" >"$folder/venv/packages"
}
