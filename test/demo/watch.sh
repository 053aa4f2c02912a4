#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `./dev run DIR [DEST]`: watch.sh BUILD_DIRECTORY DIR [DEST]
# Prints changes below DIR as they come, until Ctrl-C, and keeps DEST equal to
# it. Nothing else is kept.
usage()
{
	echo "usage: ./dev run [DIR [DEST]]" >&2
	exit 2
}
[[ $# -eq 2 || $# -eq 3 ]] || usage
[[ -d $2 ]] || {
	echo "./dev run: $2: not a directory" >&2
	usage
}
if [[ -n ${3:-} && -e $3 && ! -d $3 ]]; then
	echo "./dev run: $3: not a directory" >&2
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

# What an earlier run left there is ours; what somebody else has is not.
follower=
dest=
prepare_dest()
{
	mkdir -p "$1" || exit 2
	dest=$(realpath "$1")
	cat >>"$config" <<-T

		[Target dest]
		Transport=local
		Path=$dest

		[Policy copy]
		Plugin=mirror
		Root=watched
		Target=dest
		MaxDelete=off
		Nice=0
		IOClass=none
	T
	jb check-config >/dev/null || exit 2
	if [[ -d $dest/.journalctl-backup ]]; then
		jb target init dest --adopt >/dev/null
	elif [[ -n $(find "$dest" -mindepth 1 -maxdepth 1 \
		! -name lost+found -print -quit) ]]; then
		echo "./dev run: $dest is not empty: choose another place" >&2
		exit 2
	fi
}

# The first copy takes its time: say how far it is, once a second.
await_copy()
{
	local code=4 line

	while [[ $code -eq 4 ]]; do
		code=0
		jb flush --policy copy --timeout 1s 2>"$dir/why" || code=$?
		line=$(jb status | sed -n 's/^copy: \(first copy: .*\)/\1/p')
		[[ $code -ne 4 || -z $line ]] || echo "  $line"
	done
	[[ $code -eq 0 ]] || {
		cat "$dir/why" >&2
		exit 1
	}
}

# All that was changed until now is still brought over.
finish()
{
	trap '' INT TERM
	echo
	[[ -z $follower ]] || kill "$follower" 2>/dev/null
	if [[ -n $dest ]] && jb flush --policy copy --timeout 60s; then
		echo "$dest holds all that was changed until now."
	fi
	exit 0
}

[[ $# -eq 1 ]] || prepare_dest "$2"
start_daemon
backend=$(jb status --json | grep -o '"backend": *"[a-z]*"' | cut -d '"' -f 4)
echo "Watching $root by $backend"
if [[ -n $dest ]]; then
	await_copy
	echo "$dest is equal to it, and is kept so"
fi
echo "Ctrl-C ends it; nothing ${dest:+else }is kept."
echo

# The journal is new: all of it. In the background, so that a signal is
# answered at once.
jb query -n all -f &
follower=$!
trap finish INT TERM
wait "$follower"
