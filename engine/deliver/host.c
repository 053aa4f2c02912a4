/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host that a plugin is lent: views of catalog and replica by path. */
#include "engine/deliver/host.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"

#include <string.h>

static struct jb_delivery *delivery_of(const struct jb_host *host)
{
	return (struct jb_delivery *)((char *)host -
				      offsetof(struct jb_delivery, host));
}

static void log_line(const struct jb_host *host, enum jb_host_level level,
		     const char *text)
{
	jb_log((enum jb_log_level)level, "policy '%s': %s", host->policy, text);
}

static int64_t now_us(const struct jb_host *host)
{
	(void)host;
	return jb_clock_us(CLOCK_REALTIME);
}

/* The next component of a path; 0 at its end. */
static size_t next_name(const char **at, const char **name)
{
	size_t len;

	while (**at == '/')
		(*at)++;
	len = strcspn(*at, "/");
	*name = *at;
	*at += len;
	return len;
}

static int find_in_catalog(const struct jb_host *host, const char *path,
			   struct jb_host_entry *ret, struct jb_error *err)
{
	struct jb_delivery *d = delivery_of(host);
	const char *name;
	struct jb_entry e;
	size_t len;
	int rv;

	if (d->view == NULL)
		return 0;
	rv = d->view->ops->top(d->view, &e, err);
	while (rv > 0 && (len = next_name(&path, &name)) > 0)
		rv = d->view->ops->at(d->view, e.dirkey, name, len, &e, err);
	if (rv > 0)
		*ret = (struct jb_host_entry){e.id.ino, e.id.birth,
					      e.facts.mode, e.facts.size,
					      e.facts.mtime};
	return rv;
}

static int find_in_replica(const struct jb_host *host, const char *path,
			   struct jb_host_entry *ret, struct jb_error *err)
{
	struct jb_delivery *d = delivery_of(host);
	uint64_t rid = JB_RID_TOP;
	struct jb_node_row row;
	const char *name;
	size_t len;
	int rv = 1;

	while (rv > 0 && (len = next_name(&path, &name)) > 0)
		rv = jb_replica_at(d->replica, rid, name, len, &rid, err);
	if (rv > 0)
		rv = jb_replica_node(d->replica, rid, &row, err);
	if (rv > 0)
		*ret = (struct jb_host_entry){row.src.ino, row.src.birth,
					      row.type, row.size, row.mtime};
	return rv;
}

void jb_delivery_lend(struct jb_delivery *d)
{
	d->host = (struct jb_host){
		.abi = JB_POLICY_ABI,
		.size = sizeof d->host,
		.policy = d->policy->name,
		.root_path = d->root->path,
		.target_path = jb_config_text(d->section, "Path"),
		.log = log_line,
		.now_us = now_us,
		.catalog = find_in_catalog,
		.replica = find_in_replica,
	};
}
