/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_script.h"

#include "lib/t_random.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static uint64_t key_of(unsigned round, unsigned thread, unsigned i)
{
	return (uint64_t)round << 40 | (uint64_t)thread << 32 | i;
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Lines "ROUND THREAD NUMBER ...", as a trace has them. */
static void read_steps(struct t_script *s, const char *path)
{
	unsigned round, thread, i;
	size_t room = 1024;
	char line[8192];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("JB_TEST_STEPS=%s: no such file", path);
	s->kept = malloc(room * sizeof *s->kept);
	while (s->kept != NULL && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%u %u %u", &round, &thread, &i) != 3)
			fail_msg("%s: '%s' is no step", path, line);
		if (s->n == room)
			s->kept =
				realloc(s->kept, (room *= 2) * sizeof *s->kept);
		s->kept[s->n++] = key_of(round, thread, i);
	}
	fclose(f);
	assert_non_null(s->kept);
	qsort(s->kept, s->n, sizeof *s->kept, compare_keys);
}

void t_script_open(struct t_script *s)
{
	const char *steps = getenv("JB_TEST_STEPS");
	const char *trace = getenv("JB_TEST_TRACE");

	memset(s, 0, sizeof *s);
	pthread_mutex_init(&s->lock, NULL);
	if (steps != NULL)
		read_steps(s, steps);
	if (trace != NULL) {
		s->trace = fopen(trace, "w");
		if (s->trace == NULL)
			fail_msg("JB_TEST_TRACE=%s: can't be written", trace);
	}
}

void t_script_close(struct t_script *s)
{
	if (s->trace != NULL)
		fclose(s->trace);
	free(s->kept);
	pthread_mutex_destroy(&s->lock);
	memset(s, 0, sizeof *s);
}

bool t_script_wants(const struct t_script *s, unsigned round, unsigned thread,
		    unsigned i)
{
	uint64_t key = key_of(round, thread, i);

	return s->kept == NULL ||
	       bsearch(&key, s->kept, s->n, sizeof key, compare_keys) != NULL;
}

bool t_script_listens(const struct t_script *s)
{
	return s->trace != NULL;
}

void t_script_tell(struct t_script *s, unsigned round, unsigned thread,
		   unsigned i, const char *format, ...)
{
	va_list ap;
	char text[2048];
	size_t k;

	if (s->trace == NULL)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	for (k = 0; text[k] != '\0'; k++) /* a line is a step */
		if (text[k] == '\n')
			text[k] = '?';
	pthread_mutex_lock(&s->lock);
	fprintf(s->trace, "%u %u %u %s\n", round, thread, i, text);
	fflush(s->trace); /* what came before a crash counts most */
	pthread_mutex_unlock(&s->lock);
}

uint64_t t_script_seed(uint64_t seed, unsigned round, unsigned thread,
		       unsigned i)
{
	struct t_random r = {.state = seed};

	r.state ^= t_random_next(&r) + round;
	r.state ^= t_random_next(&r) + thread;
	r.state ^= t_random_next(&r) + i;
	return t_random_next(&r);
}
