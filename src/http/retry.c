/*-------------------------------------------------------------------------
 *
 * retry.c
 *	  Decides whether and when a request is sent again.
 *
 * src/http/retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <time.h>

#include <curl/curl.h>

#include "http/retry.h"

#include "common/pg_prng.h"

#include "http/header.h"

#define MAX_TRIES			3
#define FIRST_DELAY			200 /* milliseconds */
#define DELAY_GROWTH		4
#define MAX_RETRY_AFTER_DIGITS	18
#define MAX_DATE_LENGTH		64

/*
 * Whether a retry may succeed.  It would not for other server errors, such as
 * Smartcar's 501 for a car that lacks a capability.
 */
static bool
is_transient(int status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

/*
 * The delay in milliseconds.  It is random, so that many backends do not retry
 * at the same time.
 */
static int
backoff(int tries)
{
	int			delay = FIRST_DELAY;

	while (--tries > 0)
		delay *= DELAY_GROWTH;
	return (int) (delay * (0.5 + 0.5 * pg_prng_double(&pg_global_prng_state)));
}

/* Parses an HTTP date into seconds since 1970, or -1. */
static int64
parse_date(SmartcarSpan text)
{
	char		date[MAX_DATE_LENGTH];

	if (text.data == NULL || text.length >= sizeof(date))
		return -1;
	memcpy(date, text.data, text.length);
	date[text.length] = '\0';
	return (int64) curl_getdate(date, NULL);
}

/*
 * Parses the header Retry-After, which is a number of seconds or a date.  A date
 * is compared with the date of the response, because clocks differ.  Returns
 * false if there is no such header.
 */
bool
smartcar_retry_after(SmartcarSpan headers, int64 *seconds)
{
	SmartcarSpan value = smartcar_header_value(headers, SMARTCAR_SPAN("Retry-After"));
	int64		date;
	int64		sent;
	int64_t		number;

	if (smartcar_span_to_number(value, MAX_RETRY_AFTER_DIGITS, &number))
	{
		*seconds = number;
		return true;
	}
	date = parse_date(value);
	if (date < 0)
		return false;
	sent = parse_date(smartcar_header_value(headers, SMARTCAR_SPAN("Date")));
	*seconds = Max(date - (sent < 0 ? (int64) time(NULL) : sent), 0);
	return true;
}

/*
 * The milliseconds to wait before the next try, or SMARTCAR_NO_RETRY.  The caller
 * checks whether enough time is left.
 *
 * A request that exceeded the rate limit was not carried out, so it is sent
 * again if the server says when, unless it must never be sent twice.  After
 * other errors, only a repeatable request is sent again.  After a timeout, no
 * time is left.
 */
int
smartcar_retry_delay(const SmartcarRequest *request, const SmartcarResponse *response)
{
	bool		is_repeatable = request->kind == SMARTCAR_REQUEST_REPEATABLE;
	bool		is_response = response->outcome == SMARTCAR_OUTCOME_RESPONSE;
	int64		seconds;

	if (response->tries >= MAX_TRIES || request->kind == SMARTCAR_REQUEST_ONCE)
		return SMARTCAR_NO_RETRY;

	if (is_response &&
		(response->status == 429 || (response->status == 503 && is_repeatable)) &&
		smartcar_retry_after(response->headers, &seconds))
		return (int) Min(seconds, INT_MAX / 1000 - 1) * 1000 + backoff(1);

	if (is_repeatable &&
		(response->outcome == SMARTCAR_OUTCOME_NO_CONNECTION ||
		 (is_response && is_transient(response->status))))
		return backoff(response->tries);

	return SMARTCAR_NO_RETRY;
}
