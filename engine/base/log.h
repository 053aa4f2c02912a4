/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/log.h - what the service says: one line per event, to stderr.
 *
 * With JOURNAL_STREAM set (under systemd) each line starts with its syslog
 * priority "<N>", else with a time. Any thread may call. A failure is logged
 * once, by whoever decides what follows from it (engine/), never below. */
#ifndef JB_BASE_LOG_H
#define JB_BASE_LOG_H

#include "jb/error.h"

enum jb_log_level {
	JB_LOG_ERROR = 3,
	JB_LOG_WARNING = 4,
	JB_LOG_NOTICE = 5,
	JB_LOG_INFO = 6,
	JB_LOG_DEBUG = 7,
};

/* Lines above @level are dropped. Default: JB_LOG_INFO. Before threads run. */
void jb_log_set_level(enum jb_log_level level);

__attribute__((format(printf, 2, 3))) void jb_log(enum jb_log_level level,
						  const char *fmt, ...);

#define jb_log_error(...)   jb_log(JB_LOG_ERROR, __VA_ARGS__)
#define jb_log_warning(...) jb_log(JB_LOG_WARNING, __VA_ARGS__)
#define jb_log_notice(...)  jb_log(JB_LOG_NOTICE, __VA_ARGS__)
#define jb_log_info(...)    jb_log(JB_LOG_INFO, __VA_ARGS__)
#define jb_log_debug(...)   jb_log(JB_LOG_DEBUG, __VA_ARGS__)

#endif
