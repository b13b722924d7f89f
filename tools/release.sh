#!/bin/sh
# A release as far as it goes without publishing: built, checked, installed where nothing else is, and used once.
# Everything it makes is in ./dist, which is made anew each time.
set -eu

rm -rf dist
.venv/bin/python -m build --installer uv --outdir dist
.venv/bin/twine check --strict dist/*.whl dist/*.tar.gz

version=$(.venv/bin/python -c 'from etl.version import __version__; print(__version__)')
ls "dist/coval_etl-$version.tar.gz" "dist/coval_etl-$version-py3-none-any.whl" >/dev/null
grep -q "^## \($version\|Unreleased\)" CHANGELOG.md || {
  echo "CHANGELOG.md says nothing of $version." >&2
  exit 1
}

# What is in it: the libraries that a user gets, with their hashes.
uv export --frozen --quiet --no-dev --all-extras --format cyclonedx1.5 --preview-features sbom-export \
  --output-file "dist/coval_etl-$version.cdx.json" >/dev/null

# A stranger's machine: an environment of its own, the wheel, and the oldest walk there is.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
uv venv --quiet --python .venv/bin/python "$place/venv"
uv pip install --quiet --python "$place/venv" "dist/coval_etl-$version-py3-none-any.whl"
cp samples/test_sets.csv "$place"
cd "$place"
export HOME="$place" XDG_STATE_HOME="$place/state"
test "$(venv/bin/coval-etl --version)" = "coval-etl $version"
code=0
venv/bin/coval-etl import test_sets.csv --sandbox --report report --quiet || code=$?
test "$code" -eq 1   # two of its rows are wrong
test -s report/report.html
cd "$OLDPWD"
ls -l dist
echo "coval-etl $version could be published: nothing was."
