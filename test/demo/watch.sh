#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `./dev run DIR`: watch.sh BUILD_DIRECTORY DIR
# Prints changes below DIR as they come, until Ctrl-C. Nothing is kept.
if [[ $# -ne 2 || ! -d $2 ]]; then
	[[ $# -gt 1 ]] && echo "./dev run: $2: not a directory" >&2
	echo "usage: ./dev run [DIR]" >&2
	exit 2
fi
trap 'exit 0' INT TERM
# shellcheck source=test/demo/lib.sh
. "$(dirname "$0")/lib.sh"

# All that is ours lies in the state directory: were $dir below DIR, the
# daemon would still not watch itself.
root=$(realpath "$1")
cat >"$config" <<T
[Journal]
StateDirectory=$dir
RuntimeDirectory=$dir/run

[Root watched]
Path=$root
T
start_daemon
backend=$(jb status --json | grep -o '"backend": *"[a-z]*"' | cut -d '"' -f 4)
echo "Watching $root by $backend"
echo "Ctrl-C ends it; nothing is kept."
echo

# In the background, so that a signal is answered at once.
jb query -n 0 -f &
follower=$!
trap 'echo; kill "$follower" 2>/dev/null; exit 0' INT TERM
wait "$follower"
