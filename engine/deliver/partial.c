/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes that the target can't keep: an xattr that is too big for it, an
 * ACL, an owner. Such an entry's content is there, and the entry is pending. */
#include "engine/deliver/delivery_priv.h"

#include "engine/base/grow.h"
#include "engine/base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Names that the log has had; the user may have thought of any number. */
#define MOST_NAMES 100

static const char SQL_DUE[] =
	"UPDATE pending SET next = " JB_DUE_NOW " WHERE reason IN (19, 20, 26)";

static_assert(JB_REASON_PARTIAL == 19 && JB_REASON_RESERVED == 20 &&
		      JB_REASON_TOO_DEEP == 26,
	      "their numbers are stored");

static bool is_said(const struct jb_delivery *d, const char *what)
{
	for (size_t i = 0; i < d->n_partial; i++)
		if (strcmp(d->partial[i], what) == 0)
			return true;
	return d->n_partial == MOST_NAMES;
}

static bool remember(struct jb_delivery *d, const char *what)
{
	char **more = jb_grow(d->partial, d->n_partial, &d->cap_partial,
			      sizeof *more);

	if (more == NULL)
		return false;
	d->partial = more;
	more[d->n_partial] = strdup(what);
	if (more[d->n_partial] == NULL)
		return false;
	d->n_partial++;
	return true;
}

void jb_delivery_say_partial(struct jb_delivery *d, const struct jb_effect *e)
{
	if (e->reason != JB_REASON_PARTIAL || e->what == NULL || d->dry ||
	    is_said(d, e->what) || !remember(d, e->what))
		return;
	jb_log(JB_LOG_WARNING,
	       "policy '%s': target '%s' can't keep %s of '%s', perhaps of "
	       "others too (query --policy %s --unsynced): leave it out of "
	       "Preserve=, or use another target",
	       d->policy->name, d->section->name, e->what,
	       e->path[0] != '\0' ? e->path : ".", d->policy->name);
}

void jb_delivery_fini_partial(struct jb_delivery *d)
{
	for (size_t i = 0; i < d->n_partial; i++)
		free(d->partial[i]);
	free(d->partial);
}

int jb_delivery_retry_partial(struct jb_delivery *d, struct jb_error *err)
{
	return jb_delivery_mark_due(d, SQL_DUE, err);
}
