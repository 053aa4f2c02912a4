/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1024

static enum jb_log_level max_level = JB_LOG_INFO;

void jb_log_set_level(enum jb_log_level level)
{
	max_level = level;
}

static int print_head(char *line, size_t size, enum jb_log_level level)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	if (getenv("JOURNAL_STREAM") != NULL)
		return snprintf(line, size, "<%d>", (int)level);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(line, size, "%F %T", &tm);
	return (int)n + snprintf(line + n, size - n, ".%03ld %s",
				 now.tv_nsec / 1000000,
				 level <= JB_LOG_ERROR	   ? "error: "
				 : level == JB_LOG_WARNING ? "warning: "
							   : "");
}

void jb_log(enum jb_log_level level, const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list ap;
	int n, m;

	if (level > max_level)
		return;
	n = print_head(line, sizeof line - 1, level);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof line - 1 - (size_t)n, fmt, ap);
	va_end(ap);
	for (int i = n; i < n + m && i < LINE_SIZE - 2; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	n = n + m < LINE_SIZE - 2 ? n + m : LINE_SIZE - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody is left to tell */
}
