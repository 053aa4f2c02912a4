/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target without room for something. What it had no room for is pending; the
 * rest of the plan was carried out. When that gave room, or the trash can, it
 * is tried again at once, else when somebody has made room: that is looked for
 * now and then. Nothing is tried again and again for nothing: each try at once
 * follows on something that went. */
#include "engine/deliver/delivery_priv.h"

#include <assert.h>

/* Less more room than this isn't worth a try. */
#define MB    UINT64_C(1048576)
#define FILES 16
/* How many are tried again at once: those that have waited longest. */
#define AT_ONCE "1000"

static const char SQL_DUE[] =
	"UPDATE pending SET next = " JB_DUE_NOW " WHERE (ino, birth) IN"
	" (SELECT ino, birth FROM pending WHERE reason = 18"
	"  ORDER BY next LIMIT " AT_ONCE ");"
	"UPDATE owed SET next = " JB_DUE_NOW " WHERE reason = 18";
static const char SQL_COUNT[] =
	"SELECT (SELECT count(*) FROM pending WHERE reason = 18) +"
	" (SELECT count(*) FROM owed WHERE reason = 18)";

static_assert(JB_REASON_NO_SPACE == 18, "its number is stored");

int jb_delivery_count_lacking(struct jb_delivery *d, struct jb_error *err)
{
	return jb_delivery_number(d, SQL_COUNT, &d->lacking, err);
}

static int make_due(struct jb_delivery *d, struct jb_error *err)
{
	int rv = jb_delivery_mark_due(d, SQL_DUE, err);

	if (rv == JB_OK)
		d->again = true;
	return rv;
}

/* What was refused though it seems to fit: the file system keeps some of what
 * it calls free for itself (ext4 a fiftieth), or what has run out is inodes. */
static uint64_t seeming_room(const struct jb_report *r,
			     const struct jb_space *space)
{
	return r->freed == 0 && r->least_lacking <= space->room_bytes
		       ? space->room_bytes
		       : 0;
}

/* What the trash is to make room for: all that lacks it, else the smallest, but
 * nothing where that would be in vain. */
static uint64_t choose_room(struct jb_delivery *d, const struct jb_report *r,
			    const struct jb_space *space)
{
	struct jb_target *t = d->target;
	uint64_t most = space->room_bytes, all, least;

	if (t->ops->trash_size == NULL ||
	    t->ops->trash_size(t, &most, NULL) != JB_OK)
		return 0;
	all = seeming_room(r, space) + r->lacking_bytes + MB;
	if (all <= most)
		return all;
	least = seeming_room(r, space) + r->least_lacking + MB;
	/* Names and directories may do with less. */
	return least <= most || r->least_lacking == 0 ? least : 0;
}

/* Since the last plan ended. */
static bool has_grown(const struct jb_delivery *d, const struct jb_space *now)
{
	return now->room_bytes >= d->room + MB ||
	       (now->free_files > d->room_files &&
		now->free_files - d->room_files >= FILES);
}

int jb_delivery_make_room(struct jb_delivery *d, const struct jb_report *r,
			  struct jb_error *err)
{
	struct jb_target *t = d->target;
	struct jb_space space = {0};
	uint64_t expired = 0, room;
	bool grown;
	int rv = t->ops->space(t, &space, err);

	if (rv != JB_OK)
		return rv;
	if (r->no_space > 0) {
		room = choose_room(d, r, &space);
		if (room > 0)
			expired = jb_delivery_take_from_trash(d, 0, room);
		rv = t->ops->space(t, &space, err);
	}
	/* With nothing in the trash that could go first, it goes for good. */
	d->no_trash = r->kept_back > 0 && expired == 0;
	/* Where nothing lacked room, nobody has noted it. */
	grown = d->lacking > 0 && has_grown(d, &space);
	d->room = space.room_bytes;
	d->room_files = space.free_files;
	if (rv == JB_OK)
		rv = jb_delivery_count_lacking(d, err);
	if (rv == JB_OK && d->lacking > 0 &&
	    (expired > 0 || r->freed > 0 || grown || d->no_trash))
		rv = make_due(d, err);
	return rv;
}

int jb_delivery_look_for_room(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_space space = {0};
	unsigned can = 0;
	int rv;

	if (d->lacking == 0)
		return JB_OK;
	rv = jb_delivery_start_target(d, &can, err);
	if (rv == JB_OK)
		rv = d->target->ops->space(d->target, &space, err);
	d->target->ops->end(d->target);
	if (rv == JB_OK && has_grown(d, &space))
		rv = make_due(d, err);
	return rv;
}
