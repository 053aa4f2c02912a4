/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories that this user may not read: a daemon without privileges meets
 * them. What is in them is not recorded, which is said once; when they can be
 * read, a scan makes up for it, and has them watched. */
#include "engine/base/log.h"
#include "engine/record/recorder_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int tell(struct jb_recorder *r, const struct jb_record_root *root,
		const struct jb_entry *e, struct jb_error *err)
{
	const char *path;
	size_t len;
	int rv = jb_keyset_add(&r->unread_told, e->dirkey);

	if (rv == 0)
		return JB_OK;
	if (rv < 0)
		return jb_error_set(err, rv, 0, "unreadable directories");
	rv = jb_catalog_path(r->catalog, e->dirkey, &path, &len, err);
	if (rv != JB_OK)
		return rv;
	jb_log_warning("root '%s': %.*s: user %d may not read this directory: "
		       "nothing in it is recorded: give access, or leave it "
		       "out with Exclude=",
		       root->root->config->name, (int)len, path,
		       (int)geteuid());
	return JB_OK;
}

int jb_unread_check(struct jb_recorder *r, struct jb_visit *v,
		    struct jb_entry *e, struct jb_error *err)
{
	bool was = e->flags & JB_ENTRY_UNREAD, is;
	int rv = JB_OK;

	if (e->dirkey == 0 || v->root->root->by_handle)
		return JB_OK;
	is = faccessat(v->fd, e->name, R_OK | X_OK,
		       AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0 &&
	     errno == EACCES;
	if (is)
		rv = tell(r, v->root, e, err);
	if (is == was || rv != JB_OK)
		return rv;
	e->flags ^= JB_ENTRY_UNREAD;
	rv = jb_catalog_update(r->catalog, e, err);
	r->wrote = true;
	if (rv == JB_OK && !is)
		rv = jb_gaps_owe(r, v->root, JB_GAP_UNOPENED, err);
	return rv;
}
