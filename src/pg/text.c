/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Converts text between the database and src/core, which uses UTF-8.
 *
 * Links contain percent-encoded UTF-8, and signatures are computed over UTF-8,
 * whatever the encoding of the database is.  The encoding of text in SQL_ASCII is
 * unknown, so such a database can use only text that is valid UTF-8.
 *
 * src/pg/text.c
 *
 *-------------------------------------------------------------------------
 */
#include "pg/text.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "core/utf8.h"

/* The most bytes of a value that a message shows. */
#define EXCERPT_LENGTH	64

SmartcarSpan
smartcar_utf8_from_bytes(const char *data, int length)
{
	SmartcarSpan span = smartcar_span(data, length);
	int			encoding = GetDatabaseEncoding();
	char	   *converted;

	if (encoding == PG_UTF8)
		return span;

	if (encoding == PG_SQL_ASCII)
	{
		if (!smartcar_utf8_valid(span))
			ereport(ERROR,
					(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
					 errmsg("invalid byte sequence for encoding \"UTF8\""),
					 errdetail("The encoding of the database is SQL_ASCII, in which text for Smartcar has to be UTF-8.")));
		return span;
	}

	converted = pg_server_to_any(data, length, PG_UTF8);
	if (converted == data)
		return span;
	return smartcar_span_from_string(converted);
}

/*
 * Whether UTF-8 need not be converted for this database.
 */
static bool
is_utf8_database(void)
{
	int			encoding = GetDatabaseEncoding();

	return encoding == PG_UTF8 || encoding == PG_SQL_ASCII;
}

/*
 * Converts UTF-8 to the encoding of the database.  A character without an
 * equivalent there is an error with SQLSTATE 22P05.
 */
SmartcarSpan
smartcar_text_from_utf8(SmartcarSpan utf8)
{
	char	   *converted;

	if (is_utf8_database() || utf8.length == 0)
		return utf8;

	converted = pg_any_to_server(utf8.data, (int) utf8.length, PG_UTF8);
	if (converted == utf8.data)
		return utf8;
	return smartcar_span_from_string(converted);
}

/*
 * Like smartcar_text_from_utf8(), but returns false if a character has no
 * equivalent.
 */
bool
smartcar_try_text_from_utf8(SmartcarSpan utf8, SmartcarSpan *converted)
{
	int			encoding = GetDatabaseEncoding();
	int			size;
	unsigned char *target;
	Oid			conversion;

	*converted = utf8;
	if (is_utf8_database() || utf8.length == 0)
		return true;

	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return false;
	size = (int) utf8.length * MAX_CONVERSION_GROWTH + 1;
	target = palloc(size);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) unconstify(char *, utf8.data),
									  (int) utf8.length, target, size, true) < (int) utf8.length)
		return false;
	*converted = smartcar_span_from_string((char *) target);
	return true;
}

/* Whether a character is one of the control characters U+0080 to U+009F. */
static bool
is_wide_control(const char *c)
{
	return (unsigned char) c[0] == 0xC2 &&
		(unsigned char) c[1] >= 0x80 && (unsigned char) c[1] <= 0x9F;
}

/*
 * The beginning of untrusted text, for a message.  Control characters are
 * replaced, so that it can neither add lines to a log nor control a terminal.
 */
const char *
smartcar_printable(SmartcarSpan span, int max_length)
{
	bool		is_utf8 = GetDatabaseEncoding() == PG_UTF8;
	bool		is_cut = span.length > (size_t) max_length;
	int			length = is_cut ? pg_mbcliplen(span.data, (int) span.length, max_length) :
		(int) span.length;
	char	   *result = psprintf("%.*s%s", length, span.data, is_cut ? "..." : "");

	for (char *c = result; *c != '\0'; c++)
	{
		if ((unsigned char) *c < ' ' || *c == 0x7F)
			*c = '?';
		else if (is_utf8 && is_wide_control(c))
		{
			*c++ = '?';
			*c = '?';
		}
	}
	return result;
}

/*
 * The beginning of a value, for a message about it.
 */
const char *
smartcar_excerpt(SmartcarSpan span)
{
	return smartcar_printable(span, EXCERPT_LENGTH);
}
