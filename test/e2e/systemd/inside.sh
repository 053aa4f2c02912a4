# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run in the container by test_systemd: exit 0 if all is well.
set -u
PATH=$PATH:/usr/local/bin
unit=journalctl-backup.service
config=/etc/journalctl-backup/journalctl-backup.conf

fail()
{
	echo "test_systemd: $*"
	systemctl status "$unit" --no-pager --full
	journalctl --no-pager -u "$unit" | tail -n 30
	exit 1
}

property()
{
	systemctl show --value -p "$1" "$unit"
}

# Wait until the unit has another main process than $1.
wait_for_other()
{
	local i pid

	for ((i = 0; i < 200; i++)); do
		pid=$(property MainPID)
		# None at all for a moment, while the unit is still active.
		[[ $pid != 0 && $pid != "$1" ]] &&
			[[ $(property ActiveState) == active ]] && return
		read -r -t 0.1 <>/out/pause
	done
	fail "was not started again"
}

must_record()
{
	echo "$1" >"/srv/data/$1"
	journalctl-backup flush --timeout 30s || fail "flush: $?"
	journalctl-backup query | grep -q "created.*$1" || fail "$1 is missing"
}

mkfifo /out/pause
systemctl daemon-reload

# READY is said when events are captured, not before.
systemctl start "$unit" || fail "does not start"
must_record first
journalctl-backup status | grep -q fanotify || fail "not by fanotify"
[[ $(property WatchdogUSec) != 0 ]] || fail "nobody watches the daemon"
[[ $(stat -c %a /var/lib/journalctl-backup) == 700 ]] || fail "state is open"

# Killed, it comes again by itself, and says that something may be missing.
pid=$(property MainPID)
kill -KILL "$pid"
wait_for_other "$pid"
must_record second
journalctl-backup query --gaps | grep -q 'not running' || fail "no gap"

# A stop is clean.
systemctl stop "$unit" || fail "does not stop"
[[ $(property Result) == success ]] || fail "stop: $(property Result)"

# What only a person can mend is not tried again and again.
echo 'Path=' >>"$config"
echo 'Nonsense=1' >>"$config"
systemctl start "$unit" 2>/dev/null && fail "nonsense is accepted"
[[ $(property ExecMainStatus) == 2 ]] || fail "$(property ExecMainStatus)"
[[ $(property ActiveState) == failed ]] || fail "$(property ActiveState)"
exit 0
