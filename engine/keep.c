/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/keep.h"

#include "engine/base/log.h"
#include "engine/base/pattern.h"
#include "engine/clock_step.h"
#include "engine/service.h"
#include "journal/gap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#define NAME	  "fanotify"
#define BOOT_FILE "/proc/sys/kernel/random/boot_id"

/* The first 16 digits of the boot id. */
static int64_t read_boot(void)
{
	char text[64] = "", digits[17] = "";
	FILE *f = fopen(BOOT_FILE, "re");
	size_t n = 0;

	if (f == NULL)
		return 0;
	if (fgets(text, sizeof text, f) == NULL)
		text[0] = '\0';
	fclose(f);
	for (const char *c = text; *c != '\0' && n < sizeof digits - 1; c++)
		if (*c != '-')
			digits[n++] = *c;
	return (int64_t)strtoull(digits, NULL, 16);
}

static void make_name(char name[JB_KEEP_NAME_SIZE], uint32_t queue_limit,
		      int64_t token)
{
	if (token == 0)
		snprintf(name, JB_KEEP_NAME_SIZE, NAME "-%" PRIu32,
			 queue_limit);
	else
		snprintf(name, JB_KEEP_NAME_SIZE,
			 NAME "-%" PRIu32 "-%016" PRIx64, queue_limit,
			 (uint64_t)token);
}

/* ---- the beginning */

/* One descriptor is ours; whatever else was stored is let go. */
static void on_stored(void *arg, int fd, const char *name)
{
	struct jb_keep *k = arg;
	char plain[JB_KEEP_NAME_SIZE];
	size_t len;

	make_name(plain, k->queue_limit, 0);
	len = strlen(plain);
	if (k->fd < 0 && strncmp(name, plain, len) == 0 &&
	    (name[len] == '\0' || name[len] == '-')) {
		k->fd = fd;
		snprintf(k->name, sizeof k->name, "%s", name);
		return;
	}
	jb_log_notice("the service manager kept '%s', which is of no use now",
		      name);
	close(fd);
	jb_service_unstore(name);
}

static bool read_mark(const char *state_dir, struct jb_rest_mark *ret)
{
	struct jb_store *store;
	int rv;

	/* To write: an older schema is migrated first, an upgrade is no reason
	 * for a gap. What is wrong will be said when it is opened to stay. */
	if (jb_store_open(state_dir, JB_STORE_WRITE, &store, NULL) != JB_OK)
		return false;
	rv = jb_rest_read(store, ret, NULL);
	jb_store_close(store);
	return rv > 0;
}

void jb_keep_begin(struct jb_keep *k, const struct jb_config *config)
{
	struct jb_rest_mark mark = {0};
	char name[JB_KEEP_NAME_SIZE];
	int64_t moved_us;
	bool marked;

	memset(k, 0, sizeof *k);
	k->fd = -1;
	k->queue_limit = config->queue_events;
	jb_service_each_stored(on_stored, k);
	marked = read_mark(config->state_dir, &mark);
	make_name(name, k->queue_limit, mark.token);
	moved_us = jb_clock_step_offset() - mark.clock_us;
	if (k->fd < 0)
		k->missed = JB_GAP_STOPPED;
	else if (!marked || strcmp(k->name, name) != 0 ||
		 mark.boot != read_boot())
		k->missed = JB_GAP_KILLED;
	else if (jb_clock_step_is_one(moved_us))
		k->missed = JB_GAP_CLOCK_MEANWHILE;
	if (k->missed == NULL)
		jb_log_info("reading on where the last daemon stopped");
}

bool jb_keep_can(void)
{
	return jb_service_is_managed();
}

void jb_keep_store(struct jb_keep *k, int fd)
{
	if (k->name[0] != '\0' || !jb_keep_can())
		return;
	make_name(k->name, k->queue_limit, 0);
	jb_service_store(fd, k->name);
}

/* ---- the end */

const struct jb_rest_mark *jb_keep_mark(struct jb_keep *k)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = (uint64_t)jb_clock_step_offset();
	k->mark = (struct jb_rest_mark){.token = (int64_t)(random | 1),
					.boot = read_boot(),
					.clock_us = jb_clock_step_offset()};
	return &k->mark;
}

void jb_keep_seal(struct jb_keep *k, int fd)
{
	jb_service_unstore(k->name);
	make_name(k->name, k->queue_limit, k->mark.token);
	jb_service_store(fd, k->name);
	jb_service_sync();
}

/* ---- what must be the same */

static void hash_patterns(XXH3_state_t *state, const struct jb_patterns *p)
{
	const char *text;
	bool include, only;

	if (p == NULL)
		return;
	only = jb_patterns_are_only(p);
	XXH3_64bits_update(state, &only, sizeof only);
	for (size_t i = 0; (text = jb_patterns_at(p, i, &include)) != NULL;
	     i++) {
		XXH3_64bits_update(state, &include, sizeof include);
		XXH3_64bits_update(state, text, strlen(text) + 1);
	}
}

uint64_t jb_keep_fingerprint(const struct jb_root *root)
{
	const char *path = root->config->path;
	XXH3_state_t *state = XXH3_createState();
	uint64_t hash;

	if (state == NULL)
		return (uint64_t)jb_clock_step_offset() |
		       1; /* never the same */
	XXH3_64bits_reset(state);
	XXH3_64bits_update(state, path, strlen(path) + 1);
	XXH3_64bits_update(state, &root->identity.ino,
			   sizeof root->identity.ino);
	XXH3_64bits_update(state, &root->identity.birth,
			   sizeof root->identity.birth);
	XXH3_64bits_update(state, &root->fsid, sizeof root->fsid);
	XXH3_64bits_update(state, &root->by_handle, sizeof root->by_handle);
	hash_patterns(state, root->config->patterns);
	hash = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return hash != 0 ? hash : 1;
}
