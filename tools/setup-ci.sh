#!/bin/sh
# What only Debian has, for the tests: a browser and an office open what we write as a person would, strace strikes
# processes at single calls of the system, zsh and fish complete what is typed, minisign checks what was signed.
# Without them `make test` still passes and says what it left out.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v soffice >/dev/null 2>&1 || missing="$missing libreoffice-calc-nogui"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
command -v zsh >/dev/null 2>&1 || missing="$missing zsh"
command -v fish >/dev/null 2>&1 || missing="$missing fish"
command -v minisign >/dev/null 2>&1 || missing="$missing minisign"
[ -z "$missing" ] && exit 0

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of names
apt-get install -y -qq --no-install-recommends $missing
