/*-------------------------------------------------------------------------
 *
 * closest_match.c
 *	  Finds the name that is closest to a mistyped one, ignoring its case.
 *
 * PostgreSQL has such functions only since version 16, and they do not ignore
 * case.
 *
 * src/pg/closest_match.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/closest_match.h"

#include "utils/varlena.h"

/* A name that differs in more than this many characters is another name. */
#define MAX_DISTANCE	4

/* The limit of varstr_levenshtein(). */
#define MAX_LENGTH		255

void
smartcar_closest_match_begin(SmartcarClosestMatch *state, SmartcarSpan source)
{
	state->source = source;
	state->match = smartcar_span(NULL, 0);
	state->distance = -1;
}

static void
copy_lower(char *target, SmartcarSpan source)
{
	for (size_t i = 0; i < source.length; i++)
		target[i] = smartcar_ascii_lower(source.data[i]);
}

void
smartcar_closest_match_try(SmartcarClosestMatch *state, SmartcarSpan candidate)
{
	SmartcarSpan source = state->source;
	char		lower_source[MAX_LENGTH];
	char		lower_candidate[MAX_LENGTH];
	int			limit;
	int			distance;

	if (source.length == 0 || source.length > MAX_LENGTH || candidate.length > MAX_LENGTH)
		return;

	limit = state->match.data ? state->distance - 1 : MAX_DISTANCE;
	if (limit < 0)
		return;
	copy_lower(lower_source, source);
	copy_lower(lower_candidate, candidate);
	distance = varstr_levenshtein_less_equal(lower_source, (int) source.length,
											 lower_candidate, (int) candidate.length,
											 1, 1, 1, limit, true);

	/* names that differ in more than half of their characters are not similar */
	if (distance <= limit && distance <= (int) source.length / 2)
	{
		state->match = candidate;
		state->distance = distance;
	}
}
