#!/bin/sh
# Run a benchmark (benchmarks, benchmarks.sending, benchmarks.ledger) in an environment of its own (.tools/bench), with
# the peers of the group "bench" in uv.lock.
set -eu

uv=.tools/bin/uv
command -v uv >/dev/null 2>&1 && uv=uv
UV_PROJECT_ENVIRONMENT=.tools/bench "$uv" sync --frozen --quiet --no-default-groups --group bench
exec .tools/bench/bin/python -m "$@"
