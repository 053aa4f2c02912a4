/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/output.h"

#include "engine/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool jb_out_has_colour(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || *no == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0 && isatty(fileno(f));
}

/* The length of the UTF-8 character at @s and its value; 0: not UTF-8. */
static size_t decode_utf8(const unsigned char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = s[0];
	size_t n = c < 0x80		? 1
		   : (c & 0xe0) == 0xc0 ? 2
		   : (c & 0xf0) == 0xe0 ? 3
		   : (c & 0xf8) == 0xf0 ? 4
					: 0;

	if (n == 0 || n > len)
		return 0;
	if (n > 1)
		c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

bool jb_out_is_utf8(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = s[i] < 0x80 ? 1 : decode_utf8(s + i, len - i, &c);
		if (n == 0)
			return false;
	}
	return true;
}

/* Control characters, also those above ASCII, and what hides or turns text:
 * line separators, zero width characters, marks of direction. */
static bool is_harmless(uint32_t c)
{
	if (c < 0x20 || c == '\\' || (c >= 0x7f && c < 0xa0))
		return false;
	if (c < 0x200b)
		return c != 0xad && c != 0x61c;
	return !(c <= 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
		 (c >= 0xe0000 && c <= 0xe0fff));
}

static void put_escaped(FILE *f, unsigned char c)
{
	switch (c) {
	case '\\':
		fputs("\\\\", f);
		break;
	case '\n':
		fputs("\\n", f);
		break;
	case '\t':
		fputs("\\t", f);
		break;
	case '\r':
		fputs("\\r", f);
		break;
	default:
		fprintf(f, "\\x%02x", c);
	}
}

void jb_out_text(FILE *f, const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t n, plain = 0;
	uint32_t c = 0;

	for (size_t i = 0; i < len; i += n) {
		n = decode_utf8(s + i, len - i, &c);
		if (n > 0 && is_harmless(c)) {
			plain += n;
			continue;
		}
		fwrite_unlocked(s + i - plain, 1, plain, f);
		plain = 0;
		n = n == 0 ? 1 : n;
		for (size_t k = 0; k < n; k++)
			put_escaped(f, s[i + k]);
	}
	fwrite_unlocked(s + len - plain, 1, plain, f);
}

char *jb_out_text_dup(const char *bytes, size_t len)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	jb_out_text(f, bytes, len);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void jb_out_put(FILE *f, const char *text)
{
	fwrite_unlocked(text, 1, strlen(text), f);
}

void jb_out_int(FILE *f, int64_t n)
{
	char text[24], *at = text + sizeof text;
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do {
		*--at = (char)('0' + u % 10);
		u /= 10;
	} while (u > 0);
	if (n < 0)
		*--at = '-';
	fwrite_unlocked(at, 1, (size_t)(text + sizeof text - at), f);
}

void jb_out_json_string(FILE *f, const char *text, size_t len)
{
	size_t plain = 0, i;

	putc_unlocked('"', f);
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			plain++;
			continue;
		}
		fwrite_unlocked(text + i - plain, 1, plain, f);
		plain = 0;
		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else
			fprintf(f, "\\u%04x", c);
	}
	fwrite_unlocked(text + i - plain, 1, plain, f);
	putc_unlocked('"', f);
}

static void put_base64(FILE *f, const char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const unsigned char *s = (const unsigned char *)bytes;
	uint32_t v;
	size_t n;

	for (size_t i = 0; i < len; i += 3) {
		n = len - i < 3 ? len - i : 3;
		v = (uint32_t)s[i] << 16;
		if (n > 1)
			v |= (uint32_t)s[i + 1] << 8;
		if (n > 2)
			v |= s[i + 2];
		putc_unlocked(digits[v >> 18], f);
		putc_unlocked(digits[v >> 12 & 63], f);
		putc_unlocked(n > 1 ? digits[v >> 6 & 63] : '=', f);
		putc_unlocked(n > 2 ? digits[v & 63] : '=', f);
	}
}

void jb_out_json_path(FILE *f, const char *key, const char *bytes, size_t len)
{
	bool is_text = jb_out_is_utf8(bytes, len);

	jb_out_put(f, ",\"");
	jb_out_put(f, key);
	jb_out_put(f, is_text ? "\":" : "_b64\":\"");
	if (is_text) {
		jb_out_json_string(f, bytes, len);
		return;
	}
	put_base64(f, bytes, len);
	putc_unlocked('"', f);
}

/* Split at @unit a second, also before 1970. */
static int64_t split_time(int64_t t, int64_t unit, int64_t *rest)
{
	*rest = (t % unit + unit) % unit;
	return (t - *rest) / unit;
}

/* Year, month and day of a day counted from 1970, in the Gregorian calendar:
 * the years begin in March, so that the leap day is the last one. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int doe = (int)(z - era * 146097);
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int)(yoe + era * 400) + (*month <= 2);
}

/* Write @n with @width digits, zeros in front; returns what follows. */
static char *put_digits(char *to, int64_t n, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		to[i] = (char)('0' + n % 10);
		n /= 10;
	}
	return to + width;
}

/* gmtime() and printf() would be most of the cost of a JSON row. */
static void put_utc(FILE *f, int64_t t, int64_t unit, int digits)
{
	static const int64_t last = INT64_C(253402300799); /* of year 9999 */
	int64_t rest, s = split_time(t, unit, &rest), in_day;
	int year, month, day;
	char text[48], *to = text;

	s = s > last ? last : s;
	civil_from_days(split_time(s, 86400, &in_day), &year, &month, &day);
	*to++ = '"';
	to = put_digits(to, year < 0 ? 0 : year, 4);
	*to++ = '-';
	to = put_digits(to, month, 2);
	*to++ = '-';
	to = put_digits(to, day, 2);
	*to++ = 'T';
	to = put_digits(to, in_day / 3600, 2);
	*to++ = ':';
	to = put_digits(to, in_day / 60 % 60, 2);
	*to++ = ':';
	to = put_digits(to, in_day % 60, 2);
	*to++ = '.';
	to = put_digits(to, rest, digits);
	*to++ = 'Z';
	*to++ = '"';
	fwrite_unlocked(text, 1, (size_t)(to - text), f);
}

void jb_out_json_time_us(FILE *f, int64_t us)
{
	put_utc(f, us, 1000000, 6);
}

void jb_out_json_time_ns(FILE *f, int64_t ns)
{
	put_utc(f, ns, 1000000000, 9);
}

void jb_out_time(FILE *f, int64_t us)
{
	static int64_t last = INT64_MIN;
	static char text[40];
	int64_t rest;
	time_t s = split_time(us, 1000000, &rest);
	struct tm tm;

	if (s != last) {
		if (localtime_r(&s, &tm) == NULL ||
		    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
			strcpy(text, "9999-12-31 23:59:59");
		last = s;
	}
	fprintf(f, "%s.%03lld", text, (long long)rest / 1000);
}

const char *jb_out_count(int64_t n, char buf[JB_OUT_COUNT_MAX])
{
	char digits[JB_OUT_COUNT_MAX];
	char *to = buf;
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n);

	for (int i = 0; i < len; i++) {
		*to++ = digits[i];
		if (digits[i] != '-' && i < len - 1 && (len - 1 - i) % 3 == 0)
			*to++ = ',';
	}
	*to = '\0';
	return buf;
}

/* Why something could not be written; what is done after it has errors of its
 * own. */
static int failure;

bool jb_out_has_failed(FILE *f)
{
	if (!ferror(f))
		return false;
	if (failure == 0)
		failure = errno;
	return true;
}

int jb_out_finish(FILE *f)
{
	fflush(f);
	if (!jb_out_has_failed(f) || failure == EPIPE)
		return JB_EXIT_OK;
	fprintf(stderr, JB_PROGRAM ": output: %s\n", strerrordesc_np(failure));
	return JB_EXIT_FAILED;
}
