/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_eio.h - a real ext4 whose disk fails writes on command: nbdkit's
 * error filter below a loop device.
 *
 * Lifecycle: init -> (fail, heal, remount)* -> fini. */
#ifndef JB_LIB_T_EIO_H
#define JB_LIB_T_EIO_H

#include <stdbool.h>
#include <sys/types.h>

struct t_eio {
	char dir[64], path[64]; /* its files, its mount point */
	pid_t server;		/* -1: it can't be had here */
};

/* False: a program for it is missing. Both directories are made. */
bool t_eio_init(struct t_eio *e, const char *dir, const char *path);
void t_eio_fail(struct t_eio *e);
void t_eio_heal(struct t_eio *e);
/* After a failure a file system wants to be mounted anew. */
void t_eio_remount(struct t_eio *e);
void t_eio_fini(struct t_eio *e);

#endif
