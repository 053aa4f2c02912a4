/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config.h - the configuration file, read and checked.
 *
 * Lifecycle: jb_config_load -> read -> jb_config_free. Immutable after load, so
 * any thread may read it. INI in the manner of journald.conf:
 * /etc/journalctl-backup/journalctl-backup.conf, then conf.d/ *.conf beside it
 * in the order of their names. Repeated list keys add up, an empty value
 * clears what came before, unknown keys are errors that name file and line. */
#ifndef JB_BASE_CONFIG_H
#define JB_BASE_CONFIG_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jb_patterns; /* engine/base/pattern.h */

#define JB_CONFIG_DEFAULT "/etc/journalctl-backup/journalctl-backup.conf"

enum jb_backend { JB_BACKEND_AUTO, JB_BACKEND_FANOTIFY, JB_BACKEND_INOTIFY };

/* Where a section or key stands: for messages. */
struct jb_config_where {
	const char *file; /* borrowed from the config */
	int line;
};

struct jb_config_root {
	char *name;		      /* owned; [Root NAME] */
	char *path;		      /* owned; absolute, no trailing slash */
	enum jb_backend backend;      /* Backend= */
	struct jb_patterns *patterns; /* owned; Include=/Exclude=, may be NULL */
	uint64_t patrol_us;	      /* Patrol=, 0: off */
	struct jb_config_where where;
};

/* A key of a [Target] or [Policy] section, in the file's order. */
struct jb_config_key {
	char *key, *value; /* owned */
	struct jb_config_where where;
};

/* [Target NAME] or [Policy NAME]: checked by who uses it. */
struct jb_config_section {
	char *name; /* owned */
	struct jb_config_key *keys; /* owned */
	size_t n_keys;
	struct jb_config_where where;
};

struct jb_config {
	char *file;		  /* owned; what was asked for */
	char *state_dir;	  /* owned; StateDirectory= */
	char *runtime_dir;	  /* owned; RuntimeDirectory= */
	char *plugin_dir;	  /* owned; PluginDirectory= */
	uint64_t flush_us;	  /* FlushInterval=200ms */
	uint64_t retain_us;	  /* Retain=90d, 0: for ever */
	uint64_t max_journal;	  /* MaxJournalSize=, bytes, 0: no limit */
	uint64_t max_backlog;	  /* MaxBacklog=, changes, 0: no limit */
	uint32_t queue_events;	  /* QueueLimit=: our own bound of the kernel's
				   * queue, events; 0: the kernel's default */
	struct jb_config_root *roots; /* owned */
	size_t n_roots;
	struct jb_config_section *targets, *policies; /* owned */
	size_t n_targets, n_policies;
	char **files; /* owned; all files read, for messages */
	size_t n_files;
};

/* Read @file (NULL: JB_CONFIG_DEFAULT). What can be seen from the text alone
 * is checked here. JB_ECONFIG: "FILE:LINE: what is wrong, what to do". */
int jb_config_load(const char *file, struct jb_config **ret,
		   struct jb_error *err);

/* What only the file system can tell: each root is a directory and not inside
 * another one, the state directory can be made. */
int jb_config_check_paths(const struct jb_config *config, struct jb_error *err);

void jb_config_free(struct jb_config *config);

/* The root called @name, or NULL. */
const struct jb_config_root *jb_config_root(const struct jb_config *config,
					    const char *name);

#endif
