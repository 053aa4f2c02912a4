#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demonstration of `./dev run`: demo.sh BUILD_DIRECTORY
trap 'exit 130' INT TERM
# shellcheck source=test/demo/lib.sh
. "$(dirname "$0")/lib.sh"

# A file system of its own for each directory, where we may mount one. The
# image has no name any more once it is mounted: nothing is left behind.
make_root()
{
	local root=$dir/$1 image=$dir/$1.img

	mkdir "$root"
	if [[ $EUID -eq 0 ]] && truncate -s 64M "$image" &&
		mkfs.ext4 -q "$image" && mount -o loop "$image" "$root"; then
		mounts+=("$root")
		rmdir "$root/lost+found"
		echo "  $root   ext4 of its own"
	else
		echo "  $root   a plain directory"
	fi 2>/dev/null
	rm -f "$image"
}

# Each line: what is done, as a person would do it.
act()
{
	printf '  %s\n' "$*"
	eval "$*"
}

# The demonstration is a test too: it must have shown what it says.
expect()
{
	local count

	count=$(jb query -o json "${@:2}" | wc -l)
	[[ $count -eq $1 ]] || {
		echo "demo: expected $1 changes of 'query ${*:2}', got $count"
		exit 1
	} >&2
}

# Wait until the copy has it all, then look.
compare()
{
	jb flush --policy mirror --timeout 60s
	is_copy "$dir/nfs" "$dir/copy" >&2 || {
		echo "demo: the copy differs from its source"
		exit 1
	} >&2
	printf '  %s: %s\n' "nfs and copy are equal" \
		"names, rights, owners, times, content"
}

# One number of the policy's status.
policy_number()
{
	jb status --json | grep -o "\"$1\": *[0-9]*" | tail -n 1 |
		grep -o '[0-9]*$'
}

heading "Two directories to watch, and a place for a copy"
make_root nfs
make_root ssd
make_root copy
mkdir "$dir/nfs/photos" "$dir/ssd/models"
for n in {1..1000}; do
	echo "picture $n" >"$dir/nfs/photos/img-$n.jpg"
done
echo "first draft" >"$dir/nfs/report.txt"

cat >"$config" <<T
[Journal]
StateDirectory=$dir/state
RuntimeDirectory=$dir/run

[Root nfs]
Path=$dir/nfs

[Root ssd]
Path=$dir/ssd

[Target disk]
Transport=local
Path=$dir/copy

[Policy mirror]
Plugin=mirror
Root=nfs
Target=disk
T
heading "The configuration, and the daemon with it"
sed 's/^./  &/' "$config"
start_daemon
jb flush --policy mirror --timeout 60s
echo
show status

heading "Changes"
cd "$dir"
act 'echo "second draft" >>nfs/report.txt'
act 'mkdir -p nfs/mail/inbox/new; echo hello >nfs/mail/inbox/new/1.eml'
act 'mv nfs/photos nfs/pictures                      # 1,000 files'
act 'chmod 600 nfs/pictures/img-7.jpg'
act 'dd if=/dev/zero of=ssd/models/m.bin bs=1M count=8 status=none'
act 'ln -s m.bin ssd/models/latest'
act 'rm nfs/pictures/img-1.jpg'
jb flush --timeout 30s

heading "What the journal says: one line each, 1,000 files renamed are one"
show query
expect 1 --kind renamed
expect 1 --kind deleted

heading "The copy: a directory that was renamed is renamed there"
compare
echo "  files copied since the start: $(policy_number copied)," \
	"directories renamed: $(policy_number renamed)"
echo
show query --policy mirror --unsynced
show verify --content

heading "Changes while the daemon is stopped"
cursor=$(jb query -n 1 --show-cursor | sed -n 's/^-- cursor: //p')
stop_daemon
act 'mv nfs/pictures nfs/archive'
act 'rm -r nfs/mail'
act 'echo new >ssd/models/notes.txt'
start_daemon
jb flush --timeout 30s
echo
echo "  started again: it compared the trees with what it knew"
echo
show query --after-cursor "$cursor"
show query --gaps
expect 2 --kind renamed
compare

heading "Questions"
show query --root nfs --kind renamed -o paths
show query -n 1 -o json '*.txt'
show status

stop_daemon
echo "That was it; everything below $dir is removed again."
echo "Next: ./dev run DIR watches a directory of yours,"
echo "      ./dev run SOURCE DEST keeps a copy of it."
