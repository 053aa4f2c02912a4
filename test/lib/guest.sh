#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run a shell script in a small virtual machine: Debian's cloud kernel under
# qemu without KVM, busybox, and what the host's kernel lacks: the kernel's own
# NFS server and client.
#
#   guest.sh SCRIPT [FILE...]
#
# Device mapper's flakey target and FAT are there too. FILEs (programs, with the
# libraries that they need) lie in the guest's /guest.
# There /dev/vda is a blank disk with an ext4 on it, mounted at /exp;
# `nfsd_start` exports it, `nfsd_stop` ends the server, and `nfs_mount 4.2|3 DIR`
# mounts it. Exit status: the script's; 77 where the guest can't be built.
# The packages are downloaded once, into $JB_GUEST_CACHE.
set -eu

script=$1
shift
cache=${JB_GUEST_CACHE:-/var/tmp/jb-guest}
tools=(qemu-system-x86_64 cpio rpcbind)

for tool in "${tools[@]}"; do
	if ! command -v "$tool" >/dev/null; then
		echo "skipped: needs $tool"
		exit 77
	fi
done

# What goes into the guest that is not installed here.
packages=(nfs-kernel-server nfs-common kmod busybox-static
	libevent-core-2.1-7 libnfsidmap1 libtirpc3 libwrap0 keyutils
	libkeyutils1 libdevmapper1.02.1)

unpack() {
	mkdir -p "$cache/deb"
	(cd "$cache/deb" && apt-get -qq download "$image" "${packages[@]}" \
		>/dev/null 2>&1) || return 1
	for deb in "$cache"/deb/*.deb; do
		dpkg -x "$deb" "$cache/root"
	done
	ln -sf kmod "$cache/root/bin/depmod"
	ln -sf kmod "$cache/root/bin/modprobe"
	"$cache/root/bin/depmod" -b "$cache/root" "$version" 2>/dev/null
	touch "$cache/$version.ok"
}

image=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
	awk '/Depends: linux-image-6/ { print $2; exit }')
if [ -z "$image" ]; then
	echo "skipped: no package of a cloud kernel is known"
	exit 77
fi
version=${image#linux-image-}
if [ ! -e "$cache/$version.ok" ] && ! unpack; then
	echo "skipped: the guest's packages can't be downloaded"
	exit 77
fi
root=$cache/root
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
init=$work/initrd.d
mkdir -p "$init"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,run,tmp,etc,exp} \
	"$init"/var/lib/nfs/{rpc_pipefs,v4recovery}

# put FILE PLACE: a file and the libraries that it needs.
put() {
	install -D "$1" "$init/$2"
	LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu \
		ldd "$1" 2>/dev/null |
		awk '/=> \// { print $3 } /^\t\/.*ld-linux/ { print $1 }' |
		while read -r library; do
			place=${library#"$root"}
			[ -e "$init/$place" ] ||
				install -D "$library" "$init/$place"
		done
}

install -D "$root/bin/busybox" "$init/bin/busybox"
for file in usr/sbin/exportfs usr/sbin/rpc.nfsd usr/sbin/rpc.mountd \
	sbin/mount.nfs; do
	put "$root/$file" "$file"
done
put "$(command -v rpcbind)" sbin/rpcbind
put /sbin/mke2fs sbin/mke2fs
for file in "$@"; do
	put "$file" "guest/$(basename "$file")"
done
cp -a /lib/x86_64-linux-gnu/libnss_files* "$init/lib/x86_64-linux-gnu/" \
	2>/dev/null || true
for module in virtio_pci virtio_blk nfsd nfs nfsv3 nfsv4 loop dm-mod dm-flakey \
	vfat exfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8; do
	"$root/bin/modprobe" -d "$root" -S "$version" --show-depends \
		"$module" 2>/dev/null | awk '/^insmod/ { print $2 }'
done | sort -u | while read -r file; do
	install -D "$file" \
		"$init/lib/modules/$version/${file#*"lib/modules/$version/"}"
done
cp "$root/lib/modules/$version"/modules.{order,builtin} \
	"$init/lib/modules/$version/"
"$root/bin/depmod" -b "$init" "$version" 2>/dev/null
printf 'root:x:0:0:root:/:/bin/sh\n_rpc:x:101:65534::/:/bin/sh\n' \
	>"$init/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$init/etc/group"
cp /etc/netconfig /etc/rpc /etc/protocols /etc/services "$init/etc/" \
	2>/dev/null || true
echo '127.0.0.1 localhost' >"$init/etc/hosts"
for db in passwd group hosts services rpc netconfig; do
	echo "$db: files"
done >"$init/etc/nsswitch.conf"
echo '/exp *(rw,no_root_squash,fsid=0,insecure,no_subtree_check,sync)' \
	>"$init/etc/exports"
touch "$init"/var/lib/nfs/{etab,rmtab,state}
cp "$script" "$init/script"
cat >"$init/functions" <<'F'
nfsd_start() {
	modprobe nfsd
	[ -e /proc/fs/nfsd/threads ] || mount -t nfsd nfsd /proc/fs/nfsd
	[ -e /var/lib/nfs/rpc_pipefs/nfs ] ||
		mount -t rpc_pipefs r /var/lib/nfs/rpc_pipefs
	pidof rpcbind >/dev/null || rpcbind
	exportfs -ra
	rpc.nfsd -G 10 -L 10 4
	pidof rpc.mountd >/dev/null || rpc.mountd
}
nfsd_stop() {
	rpc.nfsd 0
}
nfs_mount() {
	mkdir -p "$2"
	modprobe nfsv4
	modprobe nfsv3
	case $1 in
	3) mount.nfs 127.0.0.1:/exp "$2" \
		-o vers=3,nolock,proto=tcp,mountproto=tcp ;;
	*) mount.nfs 127.0.0.1:/ "$2" -o "vers=$1" ;;
	esac
}
F
cat >"$init/init" <<'N'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
mount -t tmpfs t /run
mount -t tmpfs t /tmp
mkdir -p /run/rpcbind
dmesg -n 4
ifconfig lo 127.0.0.1 netmask 255.0.0.0 up
for m in virtio_pci virtio_blk; do modprobe $m; done
/sbin/mke2fs -qF -t ext4 /dev/vda && mount /dev/vda /exp
. /functions
set +e
( . /script )
echo "guest-exit: $?"
sync
poweroff -f
N
chmod +x "$init/init"
(cd "$init" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"
truncate -s 400M "$work/disk"
timeout -k 5 "${JB_GUEST_TIMEOUT:-400}" qemu-system-x86_64 -M pc -cpu max \
	-accel tcg -m 1024 -smp 1 -nographic -no-reboot -nodefaults \
	-serial stdio -kernel "$root/boot/vmlinuz-$version" \
	-initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1" \
	-drive "file=$work/disk,if=virtio,format=raw" </dev/null |
	tr -d '\r' | tee "$work/out" | sed '/^guest-exit: /d'
exit "$(sed -n 's/^guest-exit: //p' "$work/out" | grep . || echo 1)"
