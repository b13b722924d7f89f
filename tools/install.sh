#!/bin/sh
# Make .venv from uv.lock. Needs python3 >= 3.11 and a package index, nothing else.
set -eu

python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "coval-etl needs Python 3.11 or newer; $python is $("$python" --version 2>&1)." >&2
  exit 1
}

if command -v uv >/dev/null 2>&1; then
  uv=uv
else
  uv=.tools/bin/uv
  if [ ! -x "$uv" ]; then
    echo "Fetching uv (once, into .tools)…"
    "$python" -m venv .tools || {
      echo "python3 cannot make virtual environments here; on Debian: apt-get install python3-venv" >&2
      exit 1
    }
    .tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==0.13.*"
  fi
fi

"$uv" sync --frozen --quiet --python "$python"
echo "Installed: .venv/bin/coval-etl"
