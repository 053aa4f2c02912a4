/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_case.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

bool t_case_long(void)
{
	return getenv("JB_TEST_LONG") != NULL;
}

bool t_case_enter(void)
{
	struct rlimit files = {1 << 18, 1 << 18};
	static bool entered;

	if (entered)
		return true;
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", T_SPACE, "tmpfs", 0, "size=80%,mode=755") != 0)
		return false;
	setrlimit(RLIMIT_NOFILE, &files); /* walks of very deep trees */
	entered = true;
	return true;
}

/* JB_TEST_SEED repeats a run; else each run tries another one. */
static uint64_t choose_seed(void)
{
	const char *given = getenv("JB_TEST_SEED");
	struct timespec now;

	if (given != NULL)
		return strtoull(given, NULL, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct prepared {
	const struct t_case *what;
	struct t_world world;
};

static int set_up(void **state)
{
	struct prepared *p = *state;
	struct t_world *w = &p->world;
	static int number;
	char dir[64];

	memset(w, 0, sizeof *w);
	w->seed = choose_seed();
	w->backend = p->what->backend;
	if (p->what->fs != T_none)
		t_mount_init(&w->fs, p->what->fs, T_SPACE "/fs",
			     p->what->size_mb);
	snprintf(dir, sizeof dir, T_SPACE "/daemon%d", number++);
	t_daemon_init(&w->daemon, dir);
	return 0;
}

static void run_body(void **state)
{
	struct prepared *p = *state;

	p->what->body(&p->world);
	p->world.passed = true;
}

static int tear_down(void **state)
{
	struct prepared *p = *state;
	struct t_world *w = &p->world;

	if (!w->passed)
		print_message("%s: JB_TEST_SEED=%llu\n", p->what->name,
			      (unsigned long long)w->seed);
	t_daemon_fini(&w->daemon, !w->passed);
	t_mount_fini(&w->fs);
	return 0;
}

int t_case_run(const char *group, const struct t_case *cases, size_t n,
	       int argc, char **argv)
{
	struct CMUnitTest *tests;
	struct prepared *prepared;
	size_t i;
	int failed;

	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		for (i = 0; i < n; i++)
			printf("%s\n", cases[i].name);
		return 0;
	}
	if (!t_case_enter()) {
		fprintf(stderr, "skipped: needs root to mount: %s\n",
			strerror(errno));
		return 77;
	}
	tests = calloc(n, sizeof *tests);
	prepared = calloc(n, sizeof *prepared);
	if (tests == NULL || prepared == NULL) {
		free(tests);
		free(prepared);
		return 1;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	for (i = 0; i < n; i++) {
		prepared[i].what = &cases[i];
		tests[i] = (struct CMUnitTest){cases[i].name, run_body, set_up,
					       tear_down, &prepared[i]};
	}
	failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	free(tests);
	free(prepared);
	return failed == 0 ? 0 : 1;
}
