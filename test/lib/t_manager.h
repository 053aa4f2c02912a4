/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_manager.h - the service manager's part: it holds descriptors while
 * no process of the service runs (sd_notify(3), FDSTORE=1).
 *
 * Lifecycle: init -> daemon.manager = it -> (the daemon starts, stores, stops)*
 * -> fini. A thread listens, so that nobody waits for us. The real one is in
 * test/e2e/test_systemd; this one is quick enough for random tests. */
#ifndef JB_LIB_T_MANAGER_H
#define JB_LIB_T_MANAGER_H

#include <pthread.h>
#include <stdbool.h>

#define T_STORED 8

struct t_manager {
	char path[108]; /* of the socket */
	int socket;	/* owned */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	int n;
	int fd[T_STORED]; /* owned */
	char name[T_STORED][64];
	bool stopping; /* STOPPING=1 was said */
};

void t_manager_init(struct t_manager *m, const char *path);
void t_manager_fini(struct t_manager *m);

/* Let go of all that is stored, as at the end of a service. */
void t_manager_forget(struct t_manager *m);

/* How many descriptors are stored. */
int t_manager_count(struct t_manager *m);

/* In a child before its exec: hand over what is stored. */
void t_manager_hand_over(void *manager);

#endif
