/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/query_options.h - the line of `query`, parsed and checked. */
#ifndef JB_CLI_QUERY_OPTIONS_H
#define JB_CLI_QUERY_OPTIONS_H

#include "engine/cli/cli.h"
#include "engine/cli/print_change.h"
#include "engine/cli/summary.h"
#include "journal/query.h"

struct jb_query_options {
	struct jb_query_filter filter; /* points into argv and roots */
	const char **roots;	       /* owned */
	const struct jb_format *format;
	enum jb_summary_by by;
	size_t top;
	bool gaps;
	bool unsynced;
	const char *policy; /* borrowed from argv; of unsynced */
	bool show_cursor;
};

/* False: return cli->exit_code. The caller finishes @o in both cases. */
bool jb_query_options_parse(struct jb_query_options *o, struct jb_cli *cli,
			    int argc, char **argv);

void jb_query_options_fini(struct jb_query_options *o);

#endif
