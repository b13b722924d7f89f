#!/bin/sh
# A messy workbook into a local sandbox: what was created, what was refused and why, where the report is.
# Everything it makes is in ./demo, which is made anew each time.
set -u

rm -rf demo
mkdir -p demo
export XDG_STATE_HOME="$PWD/demo/state"
unset COVAL_BASE_URL COVAL_ETL_LEDGER
etl=.venv/bin/coval-etl

step() {
  printf '\n\033[1m$ %s\033[0m\n' "$*"
}

step coval-etl preview samples/support_calls.xlsx --limit 1
$etl preview samples/support_calls.xlsx --limit 1 --quiet || exit 1

step coval-etl import samples/support_calls.xlsx --sandbox --test-set '"Support calls"' --create-missing --report demo/report
$etl import samples/support_calls.xlsx --sandbox --test-set "Support calls" --create-missing --report demo/report
[ $? -le 1 ] || exit 1

printf '\nOne line a row, in demo/report/results.jsonl; two of them:\n'
grep '"status":"created"' demo/report/results.jsonl | head -1
grep '"status":"rejected"' demo/report/results.jsonl | head -1
printf '\nThe rows to mend, as they were written, with the reason: demo/report/rejects.xlsx\n'
printf 'Next: mend them there, then\n'
printf '  XDG_STATE_HOME="%s" .venv/bin/coval-etl import demo/report/rejects.xlsx --sandbox --test-set "Support calls"\n' \
  "$XDG_STATE_HOME"
