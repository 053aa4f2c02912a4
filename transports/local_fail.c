/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/local_fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* So that the reason after the path always has room. */
#define SHOWN_MAX 320

/* "TREE/DIR/NAME", its middle left out when it is too long. */
static const char *show_place(char text[SHOWN_MAX], const struct jb_tree *tree,
			      struct jb_place p)
{
	const char *top = tree->path != NULL ? tree->path : "";
	size_t dir = strlen(p.dir), room;
	const char *slash = dir > 0 ? "/" : "";

	room = strlen(top) + strlen(p.name) + 8;
	room = room < SHOWN_MAX ? SHOWN_MAX - room : 0;
	if (dir > room)
		snprintf(text, SHOWN_MAX, "%s/...%s/%s", top,
			 p.dir + dir - room, p.name);
	else
		snprintf(text, SHOWN_MAX, "%s%s%s/%s", top, slash, p.dir,
			 p.name);
	return text;
}

/* It is neither the path nor the disk, but this process or machine. */
static bool is_own_trouble(int errnum)
{
	return errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE ||
	       errnum == ECANCELED;
}

static enum jb_outcome classify_source(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EXDEV:
	case ESTALE:
		return JB_OUTCOME_MOVED;
	default:
		return is_own_trouble(errnum) ? JB_OUTCOME_STOPPED
					      : JB_OUTCOME_UNREADABLE;
	}
}

static enum jb_outcome classify_target(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return JB_OUTCOME_LOST;
	case EEXIST:
	case ELOOP:
	case EXDEV:
	case EISDIR:
	case EBUSY:
		return JB_OUTCOME_FOREIGN;
	case ENOTEMPTY:
		return JB_OUTCOME_NOT_EMPTY;
	case EPERM:
	case EACCES:
		return JB_OUTCOME_DENIED;
	case ENOSPC:
	case EDQUOT:
		return JB_OUTCOME_NO_SPACE;
	case EROFS:
	case EIO:
	case ENODEV:
	case ENXIO:
	case ENOTCONN:
	case ESHUTDOWN:
	case ESTALE:
	case EUCLEAN:
	case EBADMSG:
	case ETIMEDOUT:
	case EHOSTDOWN:
	case ENOMEDIUM:
	case ENOTRECOVERABLE: /* ours: where things are is not known */
		return JB_OUTCOME_STOPPED;
	default:
		return is_own_trouble(errnum) ? JB_OUTCOME_STOPPED
					      : JB_OUTCOME_REFUSED;
	}
}

enum jb_outcome jb_local_fail_source(struct jb_error *err, int errnum,
				     const struct jb_tree *tree,
				     struct jb_place p)
{
	enum jb_outcome outcome = classify_source(errnum);
	char text[SHOWN_MAX];

	jb_error_errno(err, errnum, "%s", show_place(text, tree, p));
	if (err != NULL && outcome == JB_OUTCOME_MOVED)
		err->code = JB_ESTALE;
	return outcome;
}

enum jb_outcome jb_local_fail_target(struct jb_error *err, int errnum,
				     const struct jb_tree *tree,
				     struct jb_place p, const char *what)
{
	char text[SHOWN_MAX];

	jb_error_errno(err, errnum, "%s%s%s", show_place(text, tree, p),
		       what[0] != '\0' ? ": " : "", what);
	return classify_target(errnum);
}

static int code_of_outcome(enum jb_outcome outcome)
{
	switch (outcome) {
	case JB_OUTCOME_MOVED:
	case JB_OUTCOME_FOREIGN:
		return JB_ESTALE;
	case JB_OUTCOME_TORN:
	case JB_OUTCOME_NOT_EMPTY:
		return JB_EBUSY;
	case JB_OUTCOME_LOST:
		return JB_ENOENT;
	case JB_OUTCOME_SKIPPED:
		return JB_ECANCELED;
	default:
		return JB_EIO;
	}
}

enum jb_outcome jb_local_fail_words(struct jb_error *err,
				    enum jb_outcome outcome,
				    const struct jb_tree *tree,
				    struct jb_place p, const char *words)
{
	char text[SHOWN_MAX];

	jb_error_set(err, code_of_outcome(outcome), 0, "%s: %s",
		     show_place(text, tree, p), words);
	return outcome;
}
