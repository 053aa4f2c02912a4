/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/located.h - which object a path of the configuration leads to,
 * whatever it is called there. Any thread. */
#ifndef JB_DELIVER_LOCATED_H
#define JB_DELIVER_LOCATED_H

#include "jb/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct jb_located {
	struct jb_identity id;
	uint32_t dev_major, dev_minor;
};

/* @follow: what a symlink at the end leads to. 0, or -errno. */
int jb_locate(const char *path, bool follow, struct jb_located *ret);

/* On one file system? */
bool jb_located_together(const struct jb_located *a,
			 const struct jb_located *b);

/* May they be one object? Where neither birth time nor
 * generation is known, that is 0. */
bool jb_identity_fits(struct jb_identity a, struct jb_identity b);

#endif
