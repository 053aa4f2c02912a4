/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the mounts that came or went concern a policy? Its paths may lead
 * through links, and through a file system whose server does not answer: so the
 * working thread follows them, for which nobody waits but this policy. */
#include "engine/deliver/worker_priv.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 500

/* ---- on the loop */

static void on_settled(uv_timer_t *timer)
{
	struct jb_worker *w = timer->data;

	w->sift = true;
	jb_worker_poke(w);
}

/* Who unmounts one disk may be about to mount another: what lies between isn't
 * meant. */
void jb_worker_mounted(struct jb_worker *w, const char *path)
{
	struct jb_worker_mounted *m = &w->mounted;
	char *copy =
		path != NULL && m->n < JB_WORKER_MOUNTED ? strdup(path) : NULL;

	if (copy != NULL)
		m->paths[m->n++] = copy;
	else
		m->any = true;
	uv_timer_start(&w->mounts, on_settled, SETTLE_MS, 0);
}

void jb_worker_take_mounted(struct jb_worker *w)
{
	w->work.mounted = w->mounted;
	w->mounted = (struct jb_worker_mounted){.n = 0};
	w->sift = false;
}

void jb_worker_free_mounted(struct jb_worker_mounted *m)
{
	while (m->n > 0)
		free(m->paths[--m->n]);
	m->any = false;
}

/* ---- on the worker thread */

static bool lies_in(const char *path, const char *dir)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/* Mounted above @dir it is another directory; below, part of it is hidden. */
static bool touches(const struct jb_worker_mounted *m, const char *dir)
{
	for (unsigned i = 0; i < m->n; i++)
		if (lies_in(dir, m->paths[i]) || lies_in(m->paths[i], dir))
			return true;
	return false;
}

/* By its name, or by where links lead to. */
static bool concerns(const struct jb_worker_mounted *m, const char *dir)
{
	char *real;
	bool is = touches(m, dir);

	if (is)
		return true;
	real = realpath(dir, NULL);
	is = real != NULL && touches(m, real);
	free(real);
	return is;
}

bool jb_worker_is_concerned(struct jb_worker *w)
{
	const struct jb_worker_mounted *m = &w->work.mounted;
	const struct jb_config_root *root =
		jb_config_root(w->config, jb_config_text(w->policy, "Root"));
	char *target = NULL;
	bool is = m->any || (root != NULL && concerns(m, root->path));

	if (!is &&
	    jb_config_target_dir(w->config, w->policy, &target, NULL) == JB_OK)
		is = target != NULL && concerns(m, target);
	free(target);
	return is;
}
