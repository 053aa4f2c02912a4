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
journalctl-backup query --gaps | grep -q 'not stopped in order' || fail "no gap"

# A stop is clean.
systemctl stop "$unit" || fail "does not stop"
[[ $(property Result) == success ]] || fail "stop: $(property Result)"

# ---- restarts while things change

begin_storm()
{
	rm -f /out/enough "/out/said.$1"
	seq=$(journalctl-backup query -n 1 -o json | sed 's/.*"seq":\([0-9]*\).*/\1/')
	python3 /test/storm.py "/srv/data/storm.$1" /out/enough "/out/said.$1" &
	await_rounds "$1" 200
}

# Wait until the storm has gone on by $2 rounds.
await_rounds()
{
	local want=$(($(cat "/out/said.$1" 2>/dev/null || echo 0) + $2))

	until (($(cat "/out/said.$1" 2>/dev/null || echo 0) >= want)); do
		read -r -t 0.01 <>/out/pause
	done
}

end_storm()
{
	touch /out/enough
	wait
}

gaps()
{
	journalctl-backup query --gaps -o json | grep -c reason
}

must_be_exact()
{
	journalctl-backup flush --timeout 60s || fail "flush: $?"
	python3 /test/judge.py /var/lib/journalctl-backup/journal.db /srv/data \
		"$seq" "$2" || fail "$1: not exact"
}

mkdir -p "/run/systemd/system/$unit.d"
printf '[Unit]\nStartLimitIntervalSec=0\n' >"/run/systemd/system/$unit.d/t.conf"
systemctl daemon-reload
systemctl start "$unit" || fail "does not start again"
must_record third

# Restarted in a storm: no gap, no scan, nothing missed.
before=$(gaps)
begin_storm 1
for i in 1 2 3 4 5; do
	systemctl restart "$unit" || fail "restart $i"
	await_rounds 1 300
done
# One right after the other: the second meets a daemon that has just begun.
systemctl restart "$unit" &
systemctl restart "$unit"
wait $!
systemctl restart "$unit" || fail "last restart"
await_rounds 1 300
# Its configuration is read again, in the same process; nonsense is refused.
pid=$(property MainPID)
for i in 1 2 3; do
	systemctl reload "$unit" || fail "reload $i"
	await_rounds 1 300
done
echo 'Nonsense=1' >>"$config"
systemctl reload "$unit" 2>/dev/null && fail "nonsense is reloaded"
sed -i '/^Nonsense=1$/d' "$config"
[[ $(property MainPID) == "$pid" && $(property ActiveState) == active ]] ||
	fail "a reload ended it"
end_storm
must_be_exact "restarts in a storm" storm.1
[[ $(gaps) == "$before" ]] || fail "a restart made a gap"
journalctl-backup query /srv/data/storm.1/ -o json |
	grep -q '"source":"scan"' && fail "a restart made a scan"
echo "storm: $(cat /out/said.1) rounds, restarts and reloads without a gap"

# Killed in a storm: a gap, and exact after its scan.
begin_storm 2
pid=$(property MainPID)
kill -KILL "$pid"
wait_for_other "$pid"
await_rounds 2 300
end_storm
must_be_exact "killed in a storm" storm.2
(($(gaps) == before + 1)) || fail "killed: $(gaps) gaps, not $before and one"
journalctl-backup query --gaps | grep -q 'not stopped in order' ||
	fail "the gap does not say why"

# A stop, changes, a start. systemd 254 and later hold the queue meanwhile.
before=$(gaps)
systemctl stop "$unit"
mkdir -p /srv/data/storm.3/stopped
echo x >/srv/data/storm.3/stopped/x
rm -rf /srv/data/storm.1
systemctl start "$unit" || fail "does not start"
must_be_exact "changes while stopped" storm.3
if systemctl show -p FileDescriptorStorePreserve "$unit" | grep -q yes; then
	[[ $(gaps) == "$before" ]] || fail "stop and start made a gap"
else
	(($(gaps) == before + 1)) || fail "no gap of the stop"
fi

# ---- a mirror

must_be_equal()
{
	local difference

	journalctl-backup flush --policy mirror --timeout 60s ||
		fail "$1: flush: $?"
	difference=$(rsync -naHAXi --delete --numeric-ids \
		--exclude=/.journalctl-backup/ /srv/data/ /srv/copy/)
	[[ -z $difference ]] || fail "$1: the copy differs: $difference"
	journalctl-backup verify --content || fail "$1: verify: $?"
}

# All that the unit locks away leaves the worker what it needs.
cat >>"$config" <<-C
	[Target copy]
	Transport=local
	Path=/srv/copy
	RequireMount=yes

	[Policy mirror]
	Plugin=mirror
	Root=data
	Target=copy
C
mkdir -p /srv/data/kinds/dir/below
(
	cd /srv/data/kinds || exit 1
	echo a >file
	ln file link
	ln -s nowhere symlink
	mkfifo fifo
	mknod null c 1 3
	truncate -s 10M sparse
	echo end >>sparse
	head -c 3M /dev/urandom >large
	install -m 4755 -o 12 -g 34 file suid
	install -m 2755 -g 34 -d sgid
	setfattr -n user.a -v b file
	setfattr -n trusted.a -v b file
	setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= large
	setfacl -m u:77:rwx file
	setfacl -d -m g:78:rx dir
) || fail "can't make what is to be mirrored"
systemctl reload "$unit" || fail "a policy can't be added by reload"
must_be_equal "a first copy"
mv /srv/data/kinds/dir /srv/data/kinds/moved
mv /srv/data/kinds/large /srv/data/kinds/moved/below/
echo more >>/srv/data/kinds/file
rm /srv/data/kinds/fifo
must_be_equal "changes"
pid=$(property MainPID)
kill -KILL "$pid"
wait_for_other "$pid"
echo again >>/srv/data/kinds/file
must_be_equal "killed"
sed -i '/^\[Target copy\]/,$d' "$config"

# What only a person can mend is not tried again and again.
echo 'Path=' >>"$config"
echo 'Nonsense=1' >>"$config"
systemctl restart "$unit" 2>/dev/null && fail "nonsense is accepted"
[[ $(property ExecMainStatus) == 2 ]] || fail "$(property ExecMainStatus)"
[[ $(property ActiveState) == failed ]] || fail "$(property ActiveState)"
sed -i '/^Path=$/d; /^Nonsense=1$/d' "$config"

# A root that was mounted by hand: busy, until it is released.
mkdir /srv/late
mount -t tmpfs late /srv/late
printf '[Root late]\nPath=/srv/late\n' >>"$config"
systemctl restart "$unit" || fail "does not start with a second root"
journalctl-backup flush --timeout 30s || fail "flush: $?"
systemctl stop srv-late.mount 2>/dev/null
mountpoint -q /srv/late || fail "a watched root is not busy"
journalctl-backup release-root late || fail "release-root: $?"
systemctl stop srv-late.mount || fail "a released root is busy"
mountpoint -q /srv/late && fail "a released root is still mounted"
journalctl-backup status | grep -q missing || fail "not missing"

# Now the system stops, with such a root watched: see test_systemd.
sed -i 's/^\[Root late\]/[Root later]/' "$config"
mount -t tmpfs later /srv/late
systemctl restart "$unit" || fail "does not start with another root"
journalctl-backup flush --timeout 30s || fail "flush: $?"
exit 0
