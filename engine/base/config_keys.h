/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config_keys.h - the keys of the configuration in one table, and
 * how a value of each type is read. The table is what the loader checks
 * against, and what `check-config` and the example are checked against.
 *
 * No state: any thread may call. */
#ifndef JB_BASE_CONFIG_KEYS_H
#define JB_BASE_CONFIG_KEYS_H

#include "engine/base/config.h"

enum jb_config_type {
	JB_CONFIG_TEXT,
	JB_CONFIG_PATH,	    /* absolute */
	JB_CONFIG_SUBPATH,  /* relative, stays below */
	JB_CONFIG_DURATION, /* microseconds; off is 0 */
	JB_CONFIG_SIZE,	    /* bytes; off is 0 */
	JB_CONFIG_NUMBER,
	JB_CONFIG_BOOL,
	JB_CONFIG_LIMIT,    /* "5%", "1000" or "off" */
	JB_CONFIG_TIME,	    /* as engine/base/time.h reads it */
	JB_CONFIG_WORD,	    /* one of choices */
	JB_CONFIG_WORDS,    /* some of choices; adds up */
	JB_CONFIG_NAME,	    /* of another section */
	JB_CONFIG_NAMES,    /* of other sections; adds up */
	JB_CONFIG_PATTERNS, /* rsync's patterns; adds up */
};

/* What "infinity" is for a DURATION, a SIZE or a NUMBER that may be off. */
enum jb_config_infinity {
	JB_INFINITY_IS_OFF,	/* a limit that there is not */
	JB_INFINITY_IS_LONGEST, /* a duration: INT64_MAX */
	JB_INFINITY_IS_WRONG,
};

/* Keys that go nowhere by themselves: asked for by name. */
#define JB_CONFIG_NO_FIELD SIZE_MAX

struct jb_config_option {
	const char *section; /* "Journal", "Root", "Target", "Policy" */
	const char *key;
	enum jb_config_type type;
	size_t offset;	      /* in struct jb_config or jb_config_root */
	const char *fallback; /* as it would be written; NULL: none */
	const char *help;     /* one line */
	const char *choices;  /* WORD, WORDS: blank-separated */
	const char *reserved; /* a choice that is understood, but not carried
			       * out yet */
	int64_t min, max; /* NUMBER, DURATION (us), if max is not 0; SIZE: min
			   * alone */
	enum jb_config_infinity infinity;
	bool may_be_off;  /* a DURATION with min and max, too */
	bool is_reserved; /* understood, but not carried out yet */
};

extern const struct jb_config_option jb_config_options[];
extern const size_t jb_config_n_options;

/* The option, or NULL. */
const struct jb_config_option *jb_config_option(const char *section,
						const char *key);

/* What is to be said of a key that [section] does not have: one line. */
void jb_config_explain_key(const char *section, const char *key, char *text,
			   size_t size);

/* Is @value right for @option? JB_ECONFIG: what is wrong and what is right. */
int jb_config_check_value(const struct jb_config_option *option,
			  const char *value, struct jb_error *err);

/* "off", "no" or "0". */
bool jb_config_is_off(const char *value);

/* Readers of single values; @err as above. */
int jb_config_read_number(const struct jb_config_option *option,
			  const char *value, int64_t *ret,
			  struct jb_error *err);
int jb_config_read_bool(const char *value, bool *ret, struct jb_error *err);
int jb_config_read_duration(const struct jb_config_option *option,
			    const char *value, uint64_t *ret_us,
			    struct jb_error *err);
int jb_config_read_size(const struct jb_config_option *option,
			const char *value, uint64_t *ret, struct jb_error *err);
int jb_config_read_limit(const char *value, struct jb_config_limit *ret,
			 struct jb_error *err);

/* An absolute path without doubled or trailing slashes. The caller frees. */
int jb_config_read_path(const char *value, char **ret, struct jb_error *err);

/* Takes doubled and trailing slashes out of @path. */
void jb_config_squeeze_path(char *path);

/* The place of @value among the option's choices; a reserved one is behind
 * them. */
int jb_config_read_word(const struct jb_config_option *option,
			const char *value, int *ret, struct jb_error *err);

/* The next blank-separated word at *@at, which moves behind it. A word with
 * blanks stands in double quotes; \" is a quote there, all else is itself. At
 * the end *ret is NULL. The caller frees *ret. */
int jb_config_next_word(const char **at, char **ret, struct jb_error *err);

/* May a section be called @name? Letters, digits, '.', '_' and '-'. */
bool jb_config_is_name(const char *name);

#endif
