/*-------------------------------------------------------------------------
 *
 * retry.c
 *	  When a request is made again, and after how long.
 *
 * src/http/retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "http/retry.h"

#include "common/pg_prng.h"

#include "http/header.h"

#define MAX_TRIES			3
#define FIRST_DELAY			200 /* milliseconds */
#define DELAY_GROWTH		4
#define MAX_RETRY_AFTER_DIGITS	6

/*
 * A server error that may be gone in a moment.  Others, such as Smartcar's 501
 * for a car that cannot do what it was asked, will be the same the next time.
 */
static bool
is_passing(int status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

/* It grows, and is spread so that many sessions do not come back together. */
static int
backoff(int tries)
{
	int			delay = FIRST_DELAY;

	while (--tries > 0)
		delay *= DELAY_GROWTH;
	return (int) (delay * (0.5 + 0.5 * pg_prng_double(&pg_global_prng_state)));
}

/*
 * The milliseconds to wait before the next try, or SMARTCAR_NO_RETRY.  The
 * caller knows whether there is so much time left.
 *
 * A request that was turned away for the rate limit was not carried out, so it
 * may be repeated whatever it is, if the server says when.  Everything else is
 * repeated only if it does no harm twice.  After a timeout there is no time.
 */
int
smartcar_retry_delay(const SmartcarRequest *request, const SmartcarResponse *response)
{
	bool		answered = response->outcome == SMARTCAR_ANSWERED;
	int64_t		seconds;

	if (response->tries >= MAX_TRIES)
		return SMARTCAR_NO_RETRY;

	if (answered && (response->status == 429 ||
					 (response->status == 503 && request->idempotent)) &&
		smartcar_span_to_number(smartcar_header_value(response->headers,
													  SMARTCAR_SPAN("Retry-After")),
								MAX_RETRY_AFTER_DIGITS, &seconds))
		return (int) Min(seconds, INT_MAX / 1000) * 1000 + backoff(1);

	if (request->idempotent &&
		(response->outcome == SMARTCAR_NO_CONNECTION ||
		 (answered && is_passing(response->status))))
		return backoff(response->tries);

	return SMARTCAR_NO_RETRY;
}
