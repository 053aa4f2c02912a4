/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/unsynced.h"

#include "engine/cli/output.h"
#include "engine/cli/policy_request.h"
#include "engine/cli/reader.h"
#include "engine/deliver/unsynced.h"

#include <string.h>

struct printing {
	FILE *f;
	const struct jb_format *format;
	char end; /* of a list's line */
};

static void print_json(FILE *f, const struct jb_unsynced_item *item)
{
	fputs("{\"reason\":", f);
	jb_out_json_string(f, item->reason, strlen(item->reason));
	if (item->path != NULL)
		jb_out_json_path(f, "path", item->path, strlen(item->path));
	if (item->since_us != 0) {
		fputs(",\"since\":", f);
		jb_out_json_time_us(f, item->since_us);
	}
	if (item->next_us != 0) {
		fputs(",\"next\":", f);
		jb_out_json_time_us(f, item->next_us);
	}
	fputs("}\n", f);
}

static int on_item(void *arg, const struct jb_unsynced_item *item)
{
	struct printing *p = arg;

	if (p->format->kind == JB_FORMAT_JSON) {
		print_json(p->f, item);
	} else if (p->format->kind == JB_FORMAT_TEXT) {
		jb_policy_print_path(p->f, item->path, item->reason);
	} else if (item->path != NULL) {
		fputs(item->path, p->f);
		putc(p->end, p->f);
	}
	return jb_out_has_failed(p->f) ? 1 : 0;
}

int jb_unsynced_print(const struct jb_config *config,
		      const struct jb_query_options *o, FILE *f,
		      struct jb_error *err)
{
	const struct jb_config_section *policy =
		jb_config_policy(config, o->policy);
	struct printing p = {.f = f, .format = o->format, .end = '\n'};
	struct jb_unsynced got = {0};
	int rv;

	if (strcmp(o->format->name, "paths0") == 0)
		p.end = '\0';
	rv = jb_reader_check(config->state_dir, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_unsynced_list(config, policy, on_item, &p, &got, err);
	if (rv > 0)
		return JB_OK; /* the reader went away */
	if (rv == JB_OK && got.is_full)
		fprintf(stderr,
			JB_PROGRAM " query: policy '%s': a full pass is owed: "
				   "what else it will find is not known yet\n",
			o->policy);
	return rv;
}
