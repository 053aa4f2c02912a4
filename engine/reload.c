/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static int check_same(const char *key, const char *was, const char *is,
		      const char *file, struct jb_error *err)
{
	if (strcmp(was, is) == 0)
		return JB_OK;
	return jb_error_set(err, JB_ECONFIG, 0,
			    "%s: %s= can't change at run time (%s): restart "
			    "the service",
			    file, key, was);
}

/* A root that is away may come; one that the daemon has never seen must be
 * there. */
static int check_new_roots(const struct jb_config *was,
			   const struct jb_config *is, struct jb_error *err)
{
	for (size_t i = 0; i < is->n_roots; i++)
		if (jb_config_root(was, is->roots[i].name) == NULL &&
		    access(is->roots[i].path, F_OK) != 0)
			return jb_config_check_paths(is,
						     JB_CONFIG_ABSENT_IS_WRONG,
						     err);
	return JB_OK;
}

int jb_reload_check(const struct jb_config *config, struct jb_error *err)
{
	struct jb_config *now;
	int rv = jb_config_load(config->file, &now, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_config_check_available(now, err);
	if (rv == JB_OK)
		rv = jb_config_check_paths(now, JB_CONFIG_ABSENT_MAY_COME, err);
	if (rv == JB_OK)
		rv = check_new_roots(config, now, err);
	if (rv == JB_OK)
		rv = check_same("StateDirectory", config->state_dir,
				now->state_dir, config->file, err);
	if (rv == JB_OK)
		rv = check_same("RuntimeDirectory", config->runtime_dir,
				now->runtime_dir, config->file, err);
	jb_config_free(now);
	return rv;
}

/* As the service manager would: see sd_listen_fds(3). */
static int hand_over(const struct jb_reload *r, struct jb_error *err)
{
	char pid[32];

	if (r->fd < 0)
		return JB_OK;
	if (r->fd == SD_LISTEN_FDS_START) { /* dup2 would leave FD_CLOEXEC */
		if (fcntl(r->fd, F_SETFD, 0) != 0)
			return jb_error_errno(err, errno, "reload");
	} else if (dup2(r->fd, SD_LISTEN_FDS_START) < 0) {
		return jb_error_errno(err, errno, "reload");
	}
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	if (setenv("LISTEN_PID", pid, 1) != 0 ||
	    setenv("LISTEN_FDS", "1", 1) != 0 ||
	    setenv("LISTEN_FDNAMES", r->name, 1) != 0)
		return jb_error_errno(err, errno, "reload");
	return JB_OK;
}

int jb_reload_exec(const struct jb_config *config, const struct jb_reload *r,
		   struct jb_error *err)
{
	char *args[] = {"journalctl-backup", "--config", config->file, "daemon",
			NULL};
	int rv = hand_over(r, err);

	if (rv != JB_OK)
		return rv;
	execv("/proc/self/exe", args);
	return jb_error_errno(err, errno, "reload: run the program again");
}
