/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config.h - the configuration file, read and checked.
 *
 * Lifecycle: jb_config_load -> read -> jb_config_free. Immutable after load, so
 * any thread may read it. INI in the manner of journald.conf:
 * /etc/journalctl-backup/journalctl-backup.conf, then conf.d/ *.conf beside it
 * in the order of their names. Repeated list keys add up, of other keys the
 * last one counts, an empty value clears what came before, unknown keys are
 * errors that name file and line. A backslash at a line's end joins the next
 * one. The keys themselves are in the table of config_keys.h; [Policy] may have
 * others if its Plugin= is not one of ours: that knows them. */
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
	char *name;		 /* owned; [Root NAME] */
	char *path;		 /* owned; absolute, no trailing slash */
	enum jb_backend backend; /* Backend= */
	struct jb_patterns
		*patterns;  /* owned; Include=/Exclude=, may be NULL */
	uint64_t patrol_us; /* Patrol=, 0: off */
	uint64_t rescan_us; /* RescanInterval=, 0: off; network mounts */
	struct jb_config_where where; /* of Path= */
};

/* A key of a section, in the file's order; cleared ones are gone. */
struct jb_config_key {
	char *key, *value; /* owned */
	bool is_foreign;   /* not in the table: of a policy's own plugin */
	struct jb_config_where where;
};

/* One section as it stands in the files. Keys and values have been checked
 * against the table, so the getters below can't fail; foreign ones haven't. */
struct jb_config_section {
	const char *kind; /* static; "Journal", "Root", "Target", "Policy" */
	char *name;	  /* owned; "" for [Journal] */
	struct jb_config_key *keys; /* owned */
	size_t n_keys;
	struct jb_config_where where;
};

/* A file that was read, and what stood in it then. */
struct jb_config_file {
	char *path; /* owned; for messages */
	char *text; /* owned */
	size_t size;
};

struct jb_config {
	char *file;	       /* owned; what was asked for */
	char *state_dir;       /* owned; StateDirectory= */
	char *runtime_dir;     /* owned; RuntimeDirectory= */
	char *plugin_dir;      /* owned; PluginDirectory= */
	uint64_t flush_us;     /* FlushInterval=200ms */
	uint64_t retain_us;    /* Retain=90d, 0: for ever */
	uint64_t max_journal;  /* MaxJournalSize=, bytes, 0: no limit */
	uint64_t max_backlog;  /* MaxBacklog=, changes, 0: no limit */
	uint32_t queue_events; /* QueueLimit=: our own bound of the kernel's
				* queue, events; 0: the kernel's default */
	int log_level;	       /* LogLevel=, enum jb_log_level */
	struct jb_config_root *roots; /* owned */
	size_t n_roots;
	struct jb_config_section *targets, *policies; /* owned */
	size_t n_targets, n_policies;
	struct jb_config_file *files; /* owned; in their order */
	size_t n_files;
};

/* MaxDelete=5% or MaxDelete=1000. */
struct jb_config_limit {
	bool is_off;
	bool is_percent;
	uint64_t value; /* entries, or hundredths of a percent */
};

/* Read @file (NULL: JB_CONFIG_DEFAULT). What can be seen from the text alone
 * is checked here. JB_ECONFIG: "FILE:LINE: what is wrong, what to do". */
int jb_config_load(const char *file, struct jb_config **ret,
		   struct jb_error *err);

/* Where no directory is at a root's path: is that to be said? */
enum jb_config_absent {
	JB_CONFIG_ABSENT_IS_WRONG,
	JB_CONFIG_ABSENT_MAY_COME, /* it is mounted later */
};

/* Names that are reserved for what this version does not do: other transports,
 * policies that run by the clock. JB_ECONFIG, as above. */
int jb_config_check_available(const struct jb_config *config,
			      struct jb_error *err);

/* What only the file system can tell: each root is a directory that can be
 * read, and none lies inside another one, be it by links or bind mounts; what
 * is mounted below a root may be a root itself. The state directory can be
 * made. JB_ECONFIG, as above. */
int jb_config_check_paths(const struct jb_config *config,
			  enum jb_config_absent absent, struct jb_error *err);

/* Accepts NULL. */
void jb_config_free(struct jb_config *config);

/* The one called @name, or NULL. */
const struct jb_config_root *jb_config_root(const struct jb_config *config,
					    const char *name);
const struct jb_config_section *jb_config_target(const struct jb_config *config,
						 const char *name);
const struct jb_config_section *jb_config_policy(const struct jb_config *config,
						 const char *name);

/* The key as it was last given, NULL if it was not: for messages. */
const struct jb_config_key *jb_config_find(const struct jb_config_section *s,
					   const char *key);

/* The last value of a key, or the table's default (text: NULL without one).
 * Asking for a key that the table does not have is a bug. */
const char *jb_config_text(const struct jb_config_section *s, const char *key);
uint64_t jb_config_duration(const struct jb_config_section *s, const char *key);
uint64_t jb_config_size(const struct jb_config_section *s, const char *key);
int64_t jb_config_number(const struct jb_config_section *s, const char *key);
bool jb_config_bool(const struct jb_config_section *s, const char *key);
struct jb_config_limit jb_config_limit(const struct jb_config_section *s,
				       const char *key);

/* All words of a list key, from the default if it was not given. The caller
 * owns *ret: jb_config_words_free(). */
int jb_config_words(const struct jb_config_section *s, const char *key,
		    char ***ret, size_t *ret_n, struct jb_error *err);
void jb_config_words_free(char **words, size_t n);

/* Include= and Exclude= in their order. *ret is NULL if there are none: all is
 * taken. The caller owns *ret. */
int jb_config_patterns(const struct jb_config_section *s,
		       struct jb_patterns **ret, struct jb_error *err);

/* The directory of @policy at its target: Path=, and both Under=. The caller
 * frees *ret; NULL if the policy has no target. */
int jb_config_target_dir(const struct jb_config *config,
			 const struct jb_config_section *policy, char **ret,
			 struct jb_error *err);

#endif
