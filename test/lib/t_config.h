/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_config.h - a configuration file of a test's own.
 *
 * Lifecycle: init -> (load, refuse)* -> fini, which are a test's fixture. */
#ifndef JB_LIB_T_CONFIG_H
#define JB_LIB_T_CONFIG_H

#include "engine/base/config.h"

#define ROOT   "[Root nfs]\nPath=/srv/nfs\n"
#define SDA    "[Target sda]\nTransport=local\nPath=/mnt/backup\n"
#define MIRROR "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=sda\n"

struct t_config {
	char dir[64];
	char file[128];
	struct jb_config *config; /* of the last load that worked */
	struct jb_error err;	  /* of the last load */
};

int t_config_init(void **state);
int t_config_fini(void **state);

void t_config_write(const char *file, const char *text, size_t len);
int t_config_load_bytes(struct t_config *f, const char *text, size_t len);
/* Fails the test when @text is refused. Borrowed. */
struct jb_config *t_config_load(struct t_config *f, const char *text);
/* @text is refused, the message begins with the file and @line and has @word
 * in it. */
void t_config_refuse(struct t_config *f, const char *text, int line,
		     const char *word);

#endif
