/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/policy.h - a policy: a plugin that says what is to be done for whom.
 *
 * A shared object NAME.so with one exported symbol, `jb_policy`, a constant
 * struct jb_policy_ops. The worker that hosts it does the rest: it reads the
 * journal, keeps the cursor, compares, copies, retries and guards. A policy is
 * synchronous, is called on one thread, and needs only these headers
 * (pkg-config jb-policy).
 *
 * Lifecycle: open -> (plan -> settled | reconcile -> settled)* -> close. After
 * a crash changes are handed over again: at least once, in order.
 * policies/template is a documented start. */
#ifndef JB_POLICY_H
#define JB_POLICY_H

#include "jb/change.h"
#include "jb/error.h"
#include "jb/host.h"
#include "jb/options.h"
#include "jb/plan.h"

#include <stddef.h>
#include <stdint.h>

/* Grows when a plugin built for the old one could do harm. */
#define JB_POLICY_ABI 1

#define JB_POLICY_SYMBOL "jb_policy"

/* Settings (may be NULL) and host live until close. On success *ret is the
 * policy's own state, which it frees in close. */
typedef int jb_policy_open_fn(const void *settings, const struct jb_host *host,
			      void **ret, struct jb_error *err);

/* Some changes, in the order of their seq. Emit what is to be done. */
typedef int jb_policy_plan_fn(void *policy,
			      const struct jb_policy_change *changes, size_t n,
			      jb_emit_fn *emit, struct jb_plan_sink *sink,
			      struct jb_error *err);

/* A full pass, page by page: entries of the source whose copy is not there or
 * looks different, and copies (rid) without their entry. Of a first one, all
 * that the root directory has. Emit what is to be made equal. */
typedef int jb_policy_reconcile_fn(void *policy,
				   const struct jb_policy_entry *entries,
				   size_t n, jb_emit_fn *emit,
				   struct jb_plan_sink *sink,
				   struct jb_error *err);

/* What became of what was asked for; after each page that did something. */
typedef void jb_policy_settled_fn(void *policy,
				  const struct jb_outcome_of *outcomes,
				  size_t n);

/* It lets no change go by, sooner or later: what differs though nothing is left
 * to do is an error, and `verify` says so. */
#define JB_POLICY_FOLLOWS_ALL 1u

/* Accepts NULL. */
typedef void jb_policy_close_fn(void *policy);

struct jb_policy_ops {
	uint32_t abi, size; /* JB_POLICY_ABI, sizeof at build time */
	const char *name, *summary;
	const struct jb_option *options; /* NULL: none */
	size_t settings_size;
	jb_policy_open_fn *open;
	jb_policy_plan_fn *plan;
	jb_policy_reconcile_fn *reconcile; /* NULL: everything */
	jb_policy_settled_fn *settled;	   /* NULL: not interested */
	jb_policy_close_fn *close;
	uint32_t flags; /* JB_POLICY_FOLLOWS_ALL */
			/* new members go here; never reorder */
};

/* What the plugin exports. */
#define JB_POLICY_EXPORT                                                       \
	__attribute__((visibility(                                             \
		"default"))) extern const struct jb_policy_ops jb_policy;

#endif
