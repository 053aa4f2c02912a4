/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/policy_request.h"

#include "engine/base/config.h"
#include "engine/cli/client.h"
#include "engine/cli/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A worker answers after the step that it is at. */
#define WAIT_MS 600000

int jb_policy_request(const struct jb_config *config, const char *policy,
		      const char *what, json_t *more, json_t **reply,
		      struct jb_error *err)
{
	json_t *request = json_pack("{s:s, s:s, s:s}", "command", "policy",
				    "do", what, "policy", policy);
	json_t *answer = NULL;
	int rv;

	if (more != NULL)
		json_object_update(request, more);
	json_decref(more);
	rv = jb_client_call(config->runtime_dir, request, WAIT_MS, &answer,
			    err);
	json_decref(request);
	if (rv != JB_OK)
		return rv;
	if (reply != NULL)
		*reply = answer;
	else
		json_decref(answer);
	return JB_OK;
}

int jb_policy_status(const struct jb_config *config, const char *policy,
		     json_t **ret, struct jb_error *err)
{
	json_t *request = json_pack("{s:s}", "command", "status");
	json_t *reply = NULL, *one;
	const char *name;
	size_t i;
	int rv;

	rv = jb_client_call(config->runtime_dir, request, JB_CLIENT_WAIT_MS,
			    &reply, err);
	json_decref(request);
	if (rv != JB_OK)
		return rv;
	rv = JB_ENOENT;
	json_array_foreach(json_object_get(reply, "policies"), i, one)
	{
		name = json_string_value(json_object_get(one, "name"));
		if (name == NULL || strcmp(name, policy) != 0)
			continue;
		*ret = json_incref(one);
		rv = JB_OK;
	}
	json_decref(reply);
	return rv == JB_OK ? rv
			   : jb_error_set(err, rv, 0,
					  "the daemon serves no policy '%s': "
					  "'reload' lets it read the "
					  "configuration again",
					  policy);
}

/* One hexadecimal digit; a reply of the daemon's has no other. */
static unsigned digit_of(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

/* Bytes that are no UTF-8, of their hexadecimal digits. The caller frees. */
static char *unpack_bytes(const char *hex)
{
	size_t len = strlen(hex) / 2;
	char *ret = malloc(len + 1);

	for (size_t i = 0; ret != NULL && i < len; i++)
		ret[i] = (char)(digit_of(hex[2 * i]) << 4 |
				digit_of(hex[2 * i + 1]));
	if (ret != NULL)
		ret[len] = '\0';
	return ret;
}

void jb_policy_print_path(FILE *f, const char *path, const char *reason)
{
	if (path != NULL)
		jb_out_text(f, path, strlen(path));
	else
		fputs("(gone)", f);
	fprintf(f, ": %s\n", reason);
}

static void print_one(const json_t *one)
{
	const char *path = json_string_value(json_object_get(one, "path"));
	const char *hex = json_string_value(json_object_get(one, "path_hex"));
	const char *reason = json_string_value(json_object_get(one, "reason"));
	char *bytes = path == NULL && hex != NULL ? unpack_bytes(hex) : NULL;

	if (reason != NULL)
		jb_policy_print_path(stderr, path != NULL ? path : bytes,
				     reason);
	free(bytes);
}

int64_t jb_policy_print_unsynced(const json_t *reply)
{
	const json_t *paths = json_object_get(reply, "paths"), *one;
	int64_t n = json_integer_value(json_object_get(reply, "unsynced"));
	size_t i;

	json_array_foreach(paths, i, one) print_one(one);
	jb_policy_print_more(n, json_array_size(paths));
	return n;
}

void jb_policy_print_more(int64_t n, size_t told)
{
	if (n > (int64_t)told)
		fprintf(stderr, "... and %" PRId64 " more\n",
			n - (int64_t)told);
}
