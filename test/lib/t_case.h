/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_case.h - one test on a real file system with a real daemon.
 *
 * A case is a body, a file system and a backend; the runner makes the world
 * that it asks for, runs the body, shows the daemon's words if the body did
 * not come to its end, and takes everything down.
 *
 * All mounts live in a private mount namespace: they vanish with the test,
 * also when it is killed. Its files are below T_SPACE, a tmpfs in there. */
#ifndef JB_LIB_T_CASE_H
#define JB_LIB_T_CASE_H

#include "lib/t_daemon.h"
#include "lib/t_mount.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A directory that every Linux has; only this process sees the tmpfs there. */
#define T_SPACE "/mnt"

struct t_world {
	struct t_mount fs;	/* at T_SPACE/fs */
	struct t_daemon daemon; /* prepared, not started */
	enum t_backend backend;
	uint64_t seed; /* JB_TEST_SEED, or of the clock */
	bool passed;
};

struct t_case {
	const char *name;
	void (*body)(struct t_world *w);
	enum t_fs fs;
	enum t_backend backend;
	unsigned size_mb; /* 0: what the file system needs */
};

/* "body/ext4/fanotify" */
#define T_CASE(body, fs, backend)                                              \
	{                                                                      \
#body "/" #fs "/" #backend, body, T_##fs, T_##backend, 0       \
	}

/* Run them as one cmocka group; returns what main() returns. An argument is a
 * filter of names: "replay*"; --list only prints them. */
int t_case_run(const char *group, const struct t_case *cases, size_t n,
	       int argc, char **argv);

/* Enter the private namespace. Done by t_case_run; for tests without cases.
 * False: no right to. */
bool t_case_enter(void);

/* JB_TEST_LONG is set: take the time that it takes. */
bool t_case_long(void);

#endif
