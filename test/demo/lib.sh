# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What demo.sh and watch.sh share: a daemon of their own below a temporary
# directory, which is gone afterwards however the script ends.

set -euo pipefail
program=$(readlink -f "$1")/journalctl-backup
shift
dir=$(mktemp -d "${TMPDIR:-/tmp}/jb-demo.XXXX")
config=$dir/journalctl-backup.conf
log=$dir/daemon.log
daemon_pid=
mounts=()

if [[ -t 1 ]]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
	bold='' dim='' plain=''
fi

heading()
{
	printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"
}

jb()
{
	"$program" --config "$config" "$@"
}

# Run the program, showing the line that a person would type.
show()
{
	local word line='$ journalctl-backup'

	for word; do
		[[ $word != *[*\;]* ]] || word="'$word'"
		line+=" $word"
	done
	printf '%s%s%s\n' "$dim" "$line" "$plain"
	jb "$@"
	echo
}

# Name, kind, rights, owner, size, time of change and target of all below $1.
# A directory's time is left out where names may have changed since.
listing()
{
	(cd "$1" && find . -path ./.journalctl-backup -prune -o -type d \
		-printf '%p %y %m %U %G\n' -o \
		-printf '%p %y %m %U %G %n %s %T@ %l\n' | LC_ALL=C sort)
}

# Does directory $2 equal $1, names, attributes and content?
is_copy()
{
	diff <(listing "$1") <(listing "$2") &&
		diff -r --no-dereference --exclude=.journalctl-backup "$1" "$2"
}

# Its exit code tells whether the stop was clean.
stop_daemon()
{
	local pid=$daemon_pid

	[[ -n $pid ]] || return 0
	daemon_pid=
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid"
}

clean_up()
{
	local status=$? mount

	trap '' INT TERM
	[[ $status -eq 0 || ! -s $log ]] || {
		echo "the daemon's last words:"
		tail -n 5 "$log"
	} >&2
	stop_daemon || true
	for mount in "${mounts[@]}"; do
		umount "$mount" || umount -l "$mount"
	done
	rm -rf --one-file-system "$dir"
	exit "$status"
}
trap clean_up EXIT

# Start the daemon; returns when it answers. In a session of its own: Ctrl-C is
# for the script, which stops it when all is done.
start_daemon()
{
	setsid "$program" --config "$config" daemon 2>>"$log" &
	daemon_pid=$!
	until jb status >/dev/null 2>&1; do
		kill -0 "$daemon_pid" 2>/dev/null || {
			daemon_pid=
			cat "$log" >&2
			: >"$log"
			exit 1
		}
		sleep 0.02
	done
}
