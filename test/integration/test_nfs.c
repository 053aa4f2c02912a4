/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes through a real NFS server (ganesha) and client (libnfs), warm, and by
 * handles that nobody has looked up: a server that was started anew knows an
 * object only by its handle, and its events bear no name. */
#include "lib/t_case.h"
#include "lib/t_round.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <nfsc/libnfs.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS   T_SPACE "/fs"
#define ROOT FS "/r"
#define CONF T_SPACE "/ganesha.conf"
#define PORT 20490

static struct server {
	pid_t ganesha, rpcbind;
} server;

static const char conf[] =
	"NFS_CORE_PARAM { NFS_Port = 20490; MNT_Port = 20491;"
	" Enable_NLM = false; Enable_RQUOTA = false; Protocols = 3, 4;"
	" NFS_Protocols = 3, 4; fsid_device = true; }\n"
	"NFSV4 { Graceless = true; Minor_Versions = 0, 1, 2;"
	" RecoveryBackend = fs; }\n"
	"EXPORT { Export_Id = 77; Path = " FS "; Pseudo = /exp;"
	" Protocols = 3, 4; Transports = TCP; Access_Type = RW;"
	" Squash = No_Root_Squash; SecType = sys; FSAL { Name = VFS; } }\n";

/* A network and a /run of our own, so that the ports are free. */
static void enter_network(void)
{
	static bool entered;
	FILE *f;

	if (entered)
		return;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
	t_shell("ip link set lo up && mkdir -p /run/ganesha /run/rpcbind"
		" /var/lib/nfs/ganesha");
	f = fopen(CONF, "w");
	assert_non_null(f);
	fputs(conf, f);
	assert_int_equal(fclose(f), 0);
	entered = true;
}

static void await_port(pid_t pid, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd, tries, rv = -1;

	for (tries = 0; tries < 3000 && rv != 0; tries++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rv = connect(fd, (struct sockaddr *)&to, sizeof to);
		close(fd);
		if (rv != 0 && t_process_wait(pid, 10) >= 0)
			break;
	}
	if (rv != 0)
		fail_msg("nothing listens on port %d", port);
}

static void kill_server(void)
{
	if (server.ganesha != 0) {
		kill(server.ganesha, SIGKILL);
		t_process_wait(server.ganesha, 10000);
	}
	if (server.rpcbind != 0) {
		kill(server.rpcbind, SIGKILL);
		t_process_wait(server.rpcbind, 10000);
	}
	server.ganesha = server.rpcbind = 0;
}

/* Ends one that a failed test left. */
static void start_server(void)
{
	const char *argv[] = {"ganesha.nfsd",
			      "-F",
			      "-f",
			      CONF,
			      "-L",
			      T_SPACE "/ganesha.log",
			      "-N",
			      "NIV_EVENT",
			      "-p",
			      T_SPACE "/ganesha.pid",
			      NULL};
	const char *rpcbind[] = {"rpcbind", "-f", NULL};

	kill_server();
	enter_network();
	server.rpcbind = t_process_start(rpcbind, T_SPACE "/rpcbind.log");
	await_port(server.rpcbind, 111);
	server.ganesha = t_process_start(argv, T_SPACE "/ganesha.out");
	await_port(server.ganesha, PORT);
}

static struct nfs_context *mount_nfs(int version)
{
	struct nfs_context *nfs = nfs_init_context();
	struct nfs_url *url;
	char text[128];

	/* v3 names the directory itself, v4 the place in the pseudo tree. */
	snprintf(text, sizeof text,
		 "nfs://127.0.0.1%s/?version=%d&nfsport=%d&mountport=20491",
		 version == 3 ? FS : "/exp", version, PORT);
	url = nfs_parse_url_dir(nfs, text);
	if (url == NULL || nfs_mount(nfs, url->server, url->path) != 0)
		fail_msg("%s: %s", text, nfs_get_error(nfs));
	nfs_destroy_url(url);
	return nfs;
}

static struct nfsfh *open_nfs(struct nfs_context *nfs, const char *path,
			      int flags)
{
	struct nfsfh *fh;

	if (nfs_open2(nfs, path, flags, 0644, &fh) != 0)
		fail_msg("%s: %s", path, nfs_get_error(nfs));
	return fh;
}

static void write_nfs(struct nfs_context *nfs, struct nfsfh *fh, uint64_t at,
		      const char *text)
{
	if (nfs_pwrite(nfs, fh, at, strlen(text), text) != (int)strlen(text))
		fail_msg("write: %s", nfs_get_error(nfs));
}

static void write_new(struct nfs_context *nfs, const char *path)
{
	struct nfsfh *fh = open_nfs(nfs, path, O_CREAT | O_RDWR);

	write_nfs(nfs, fh, 0, "new");
	nfs_close(nfs, fh);
}

/* All that a client does, under its right path. */
static void use_warm(struct t_round *r, int version)
{
	struct nfs_context *nfs = mount_nfs(version);

	assert_int_equal(nfs_mkdir(nfs, "/r/d"), 0);
	write_new(nfs, "/r/d/f");
	write_new(nfs, "/r/g");
	t_round_check(r, NULL);
	t_round_expect(r, 1, "1", "d/f");
	t_round_expect(r, 1, "1", "g");
	assert_int_equal(nfs_rename(nfs, "/r/d", "/r/e"), 0);
	assert_int_equal(nfs_link(nfs, "/r/g", "/r/e/h"), 0);
	assert_int_equal(nfs_chmod(nfs, "/r/e/f", 0600), 0);
	t_round_check(r, NULL);
	t_round_expect(r, 1, "4", "e");
	t_round_expect(r, 1, "3", "e/f");
	t_round_expect(r, 1, "1", "e/h");
	assert_int_equal(nfs_unlink(nfs, "/r/g"), 0);
	assert_int_equal(nfs_truncate(nfs, "/r/e/h", 1000), 0);
	t_round_check(r, NULL);
	t_round_expect(r, 1, "5", "g");
	t_round_expect(r, 1, "2", "e/h");
	t_shell("rm -rf " ROOT "/e");
	t_round_check(r, NULL);
	nfs_destroy_context(nfs);
}

static void warm(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir " ROOT);
	start_server();
	t_round_open(&r, w, ROOT);
	use_warm(&r, 3);
	use_warm(&r, 4);
	kill_server();
	t_round_fini(&r);
}

/* The client keeps its handles over a restart of the server, and the kernel
 * has forgotten all names: v3 has no open, so the write is by handle alone. */
static void cold_after_restart(struct t_world *w)
{
	struct nfs_context *nfs;
	struct nfsfh *file, *link;
	struct t_round r;
	int i;

	t_shell("mkdir -p " ROOT "/d/e && echo 1 > " ROOT
		"/d/e/f && echo 1 > " ROOT "/g && ln " ROOT "/g " ROOT "/d/h");
	start_server();
	nfs = mount_nfs(3);
	nfs_set_autoreconnect(nfs, -1);
	file = open_nfs(nfs, "/r/d/e/f", O_RDWR);
	link = open_nfs(nfs, "/r/g", O_RDWR);
	t_round_open(&r, w, ROOT);
	for (i = 0; i < 3; i++) {
		kill_server();
		t_mount_drop_caches();
		start_server();
		t_daemon_freeze(&w->daemon);
		write_nfs(nfs, file, 2 + (uint64_t)i, "cold");
		write_nfs(nfs, link, 2 + (uint64_t)i, "cold");
		t_daemon_thaw(&w->daemon);
		t_round_check(&r, NULL);
		t_round_expect(&r, 1, "2", "d/e/f");
		assert_int_equal(t_round_count(&r, "kind = 2 AND what & 1 AND"
						   " path IN ('g', 'd/h')"),
				 1);
		t_mount_drop_caches();
		t_daemon_freeze(&w->daemon);
		write_nfs(nfs, file, 10 + (uint64_t)i, "colder");
		t_daemon_thaw(&w->daemon);
		t_round_check(&r, NULL);
		t_round_expect(&r, 1, "2", "d/e/f");
		/* Renamed where the server can't know. */
		t_shell("mv " ROOT "/d " ROOT "/x && mv " ROOT "/x " ROOT "/d");
		t_round_check(&r, NULL);
	}
	nfs_close(nfs, file);
	nfs_close(nfs, link);
	nfs_destroy_context(nfs);
	kill_server();
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(warm, ext4, fanotify),
	T_CASE(warm, xfs, fanotify),
	T_CASE(cold_after_restart, ext4, fanotify),
	T_CASE(cold_after_restart, xfs, fanotify),
};

int main(int argc, char **argv)
{
	if (access("/usr/bin/ganesha.nfsd", X_OK) != 0) {
		fprintf(stderr, "skipped: needs nfs-ganesha\n");
		return 77;
	}
	return t_case_run("nfs", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
