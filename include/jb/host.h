/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/host.h - what the engine lends a policy.
 *
 * Valid from open() to close(). All calls are made on the thread that calls
 * the policy. */
#ifndef JB_HOST_H
#define JB_HOST_H

#include "jb/error.h"

#include <stdint.h>

/* The same numbers as syslog(3). */
enum jb_host_level {
	JB_HOST_ERROR = 3,
	JB_HOST_WARNING = 4,
	JB_HOST_NOTICE = 5,
	JB_HOST_INFO = 6,
	JB_HOST_DEBUG = 7,
};

/* What catalog or copy know of a path. */
struct jb_host_entry {
	uint64_t ino;
	int64_t birth;
	uint32_t mode;
	int64_t size, mtime;
};

struct jb_host {
	uint32_t abi, size;	 /* JB_POLICY_ABI, sizeof at build time */
	const char *policy;	 /* the [Policy NAME] */
	const char *root_path;	 /* the source, absolute */
	const char *target_path; /* Path= of the target; NULL without one */

	/* One line to the log, with the policy's name in front. */
	void (*log)(const struct jb_host *host, enum jb_host_level level,
		    const char *text);
	int64_t (*now_us)(const struct jb_host *host);
	/* What the journal last saw at @path (relative to the root). 1: found,
	 * 0: nothing there, or a negative JB_E*. */
	int (*catalog)(const struct jb_host *host, const char *path,
		       struct jb_host_entry *ret, struct jb_error *err);
	/* What the target was last made to hold there. */
	int (*replica)(const struct jb_host *host, const char *path,
		       struct jb_host_entry *ret, struct jb_error *err);
	/* new members go here; never reorder */
};

#endif
