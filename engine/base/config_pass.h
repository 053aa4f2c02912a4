/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config_pass.h - a configuration for another process, as it was
 * read: whoever edits the files meanwhile changes nothing.
 *
 * The descriptor is of sealed memory and holds the text of all files. It is to
 * be inherited; any number of processes may load it, also at once. Any thread,
 * but for the load: as jb_config_load(). */
#ifndef JB_BASE_CONFIG_PASS_H
#define JB_BASE_CONFIG_PASS_H

#include "engine/base/config.h"

/* The caller closes *ret_fd (it has FD_CLOEXEC). */
int jb_config_pass(const struct jb_config *config, int *ret_fd,
		   struct jb_error *err);

/* The configuration that @fd was made of: files and lines in messages are the
 * real ones. @fd stays open. JB_EPROTO: jb_config_pass() did not make it. */
int jb_config_load_passed(int fd, struct jb_config **ret, struct jb_error *err);

#endif
