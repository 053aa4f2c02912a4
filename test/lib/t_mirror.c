/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_mirror.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void t_mirror_init(struct t_mirror *m, struct t_world *w, enum t_fs target,
		   const char *made, const char *more)
{
	struct t_mount disk;

	t_mount_init(&disk, target, T_MIRROR, 0);
	t_mirror_begin(m, w, made, more);
	m->target = disk;
}

void t_mirror_begin(struct t_mirror *m, struct t_world *w, const char *made,
		    const char *more)
{
	memset(m, 0, sizeof *m);
	m->target.loop = -1;
	m->w = w;
	t_shell("test -d %s/lost+found || rm -rf %s/lost+found", T_MIRROR_ROOT,
		T_MIRROR);
	t_shell("mkdir -p %s; cd %s; %s", T_MIRROR_ROOT, T_MIRROR_ROOT, made);
	t_daemon_root(&w->daemon, "r", T_MIRROR_ROOT, w->backend);
	t_daemon_configure(&w->daemon,
			   "[Target t]\nTransport=local\nPath=%s\n"
			   "RequireMount=yes\n"
			   "[Policy m]\nPlugin=mirror\nRoot=r\nTarget=t\n%s\n",
			   T_MIRROR, more);
	t_daemon_begin(&w->daemon);
}

void t_mirror_fini(struct t_mirror *m)
{
	if (m->w->daemon.pid != 0)
		t_daemon_stop(&m->w->daemon);
	t_mount_fini(&m->target);
}

void t_mirror_command(struct t_mirror *m, int code, const char *words, ...)
{
	va_list ap;

	va_start(ap, words);
	t_daemon_vexpect(&m->w->daemon, code, words, ap);
	va_end(ap);
}

void t_mirror_flush_says(struct t_mirror *m, int code, const char *words)
{
	t_daemon_expect(&m->w->daemon, code, words, "flush", "--policy", "m",
			"--timeout", "60s", NULL);
}

void t_mirror_flush(struct t_mirror *m, int code)
{
	t_mirror_flush_says(m, code, NULL);
}

void t_mirror_pause(struct t_mirror *m)
{
	t_mirror_command(m, 0, NULL, "pause", "m", NULL);
}

void t_mirror_resume(struct t_mirror *m)
{
	t_mirror_command(m, 0, NULL, "resume", "m", NULL);
}

void t_mirror_full_pass(struct t_mirror *m)
{
	t_mirror_command(m, 0, NULL, "reset", "m", NULL);
}

char *t_mirror_differences(struct t_mirror *m)
{
	const char *argv[] = {"rsync", "-naHAXi", "--delete", "--numeric-ids",
			      "--exclude=/.journalctl-backup/",
			      /* xfs shows its ACLs a second time */
			      "--filter=-x trusted.SGI_ACL_*",
			      m->strangers ? "--exclude=foreign*" : "--dry-run",
			      T_MIRROR_ROOT "/", T_MIRROR "/", NULL};
	struct t_output o;

	t_process_run(&o, argv);
	if (o.status != 0)
		fail_msg("rsync: exit %d: %s", o.status, o.err);
	free(o.err);
	return o.out;
}

void t_mirror_compare(struct t_mirror *m)
{
	char *text = t_mirror_differences(m);

	if (text[0] != '\0')
		fail_msg("the target differs:\n%s", text);
	free(text);
}

void t_mirror_check(struct t_mirror *m)
{
	t_mirror_flush(m, 0);
	t_mirror_compare(m);
}

int64_t t_mirror_number(struct t_mirror *m, const char *key)
{
	json_t *status = t_daemon_status(&m->w->daemon);
	json_t *policy = json_array_get(json_object_get(status, "policies"), 0);
	int64_t n;

	assert_non_null(policy);
	n = json_integer_value(json_object_get(policy, key));
	json_decref(status);
	return n;
}
