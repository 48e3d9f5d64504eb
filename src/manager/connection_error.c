/*-------------------------------------------------------------------------
 *
 * connection_error.c
 *	  The errors of a connection, and those that have ended.
 *
 * src/manager/connection_error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection_error.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/datetime.h"
#include "utils/json.h"

#include "pg/datum.h"
#include "pg/json.h"

/* How long an error that has ended is kept: SMARTCAR_MAX_EVENT_AGE. */
#define ENDED_RETENTION	USECS_PER_DAY

/*
 * The order in which errors have to be fixed: without a login nothing else works; then
 * come those that the team must fix, and then what the owner can add.  Transient errors
 * come last.
 */
static const SmartcarAction order_of_actions[] = {
	SMARTCAR_ACTION_CONNECT,
	SMARTCAR_ACTION_REAUTHENTICATE,
	SMARTCAR_ACTION_FIX_SETUP,
	SMARTCAR_ACTION_REFRESH_TOKEN,
	SMARTCAR_ACTION_UPDATE_ACCESS,
	SMARTCAR_ACTION_ADD_VIRTUAL_KEY,
	SMARTCAR_ACTION_ASK_OWNER,
	SMARTCAR_ACTION_RETRY
};

static int
action_rank(SmartcarAction action)
{
	int			place = 0;

	while (place < lengthof(order_of_actions) && order_of_actions[place] != action)
		place++;
	return place;
}

static SmartcarAction
read_action(SmartcarSpan label)
{
	for (int action = 0; action < SMARTCAR_ACTION_COUNT; action++)
	{
		if (smartcar_span_equal(label, smartcar_span_from_string(smartcar_action_label(action))))
			return (SmartcarAction) action;
	}
	return SMARTCAR_ACTION_UNKNOWN;
}

static SmartcarConnectionError *
add(SmartcarConnectionErrors *errors)
{
	SmartcarConnectionError *added;

	if (errors->count == errors->allocated)
	{
		Size		size;

		errors->allocated = 2 * errors->allocated + 4;
		size = errors->allocated * sizeof(SmartcarConnectionError);
		errors->elements = errors->elements ? repalloc(errors->elements, size) : palloc(size);
	}
	added = &errors->elements[errors->count++];
	memset(added, 0, sizeof(*added));
	return added;
}

/*
 * Reads the stored errors, to which the result points; NULL for none.
 */
void
smartcar_connection_errors_read(SmartcarConnectionErrors *errors, Jsonb *stored)
{
	int			count = stored && JB_ROOT_IS_ARRAY(stored) ? JB_ROOT_COUNT(stored) : 0;

	for (int i = 0; i < count; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(&stored->root, i);
		SmartcarConnectionError *error;

		if (object == NULL)
			continue;
		error = add(errors);
		error->type = smartcar_json_text_member(object, "type");
		error->code = smartcar_json_text_member(object, "code");
		error->description = smartcar_json_text_member(object, "description");
		error->url = smartcar_json_text_member(object, "url");
		error->action = read_action(smartcar_json_text_member(object, "action"));
		if (!smartcar_timestamptz(smartcar_json_text_member(object, "known_at"),
								  &error->known_at))
			error->known_at = DT_NOEND;
		(void) smartcar_json_boolean_member(object, "has_ended", &error->has_ended);
	}
}

/* Compares two texts, either of which may be missing. */
static bool
is_same(SmartcarSpan one, SmartcarSpan other)
{
	return (one.data == NULL) == (other.data == NULL) && smartcar_span_equal(one, other);
}

static SmartcarConnectionError *
find(SmartcarConnectionErrors *errors, SmartcarSpan type, SmartcarSpan code)
{
	for (int i = 0; i < errors->count; i++)
	{
		if (is_same(errors->elements[i].type, type) && is_same(errors->elements[i].code, code))
			return &errors->elements[i];
	}
	return NULL;
}

static bool
is_unchanged(const SmartcarConnectionError *stored, const SmartcarApiError *error)
{
	return !stored->has_ended && stored->action == error->action &&
		is_same(stored->description, error->description) &&
		is_same(stored->url, error->resolution_url);
}

/* Records that an error has begun.  Returns whether that changes the errors. */
bool
smartcar_connection_errors_begin(SmartcarConnectionErrors *errors, const SmartcarApiError *error,
								 const SmartcarKnownTime *time)
{
	SmartcarConnectionError *stored = find(errors, error->type, error->code);

	if (!smartcar_replaces(time, errors->complete_at))
		return false;
	if (stored == NULL)
		stored = add(errors);
	else if (!smartcar_replaces(time, stored->known_at) ||
			 (is_unchanged(stored, error) &&
			  (time->is_arrival || stored->known_at == time->at)))
		return false;
	stored->type = error->type;
	stored->code = error->code;
	stored->description = error->description;
	stored->url = error->resolution_url;
	stored->action = error->action;
	stored->known_at = time->at;
	stored->has_ended = false;
	return true;
}

/*
 * Records that an error has ended.  Returns whether that changes the errors.  An error
 * whose beginning is not known is added, too, because its report may still arrive.
 */
bool
smartcar_connection_errors_end(SmartcarConnectionErrors *errors, SmartcarSpan type,
							   SmartcarSpan code, const SmartcarKnownTime *time)
{
	SmartcarConnectionError *stored = find(errors, type, code);

	if (!smartcar_replaces(time, errors->complete_at))
		return false;
	if (stored == NULL)
	{
		stored = add(errors);
		stored->type = type;
		stored->code = code;
		stored->action = SMARTCAR_ACTION_UNKNOWN;
	}
	else if (!smartcar_replaces(time, stored->known_at) ||
			 (stored->has_ended && (time->is_arrival || stored->known_at == time->at)))
		return false;
	stored->known_at = time->at;
	stored->has_ended = true;
	return true;
}

/*
 * Ends all errors that need an action.  Returns whether that changes the errors.
 */
bool
smartcar_connection_errors_end_action(SmartcarConnectionErrors *errors, SmartcarAction action,
									  const SmartcarKnownTime *time)
{
	bool		changed = false;

	for (int i = 0; i < errors->count; i++)
	{
		SmartcarConnectionError *error = &errors->elements[i];

		if (!error->has_ended && error->action == action)
			changed |= smartcar_connection_errors_end(errors, error->type, error->code, time);
	}
	return changed;
}

/*
 * Removes the errors that were known before the request: all, or only the transient
 * ones.
 */
static void
remove_known(SmartcarConnectionErrors *errors, const SmartcarKnownTime *time, bool only_transient)
{
	int			kept = 0;

	for (int i = 0; i < errors->count; i++)
	{
		SmartcarConnectionError *error = &errors->elements[i];
		bool		is_removed = smartcar_replaces(time, error->known_at) &&
			(!only_transient || error->action == SMARTCAR_ACTION_RETRY);

		if (!is_removed)
			errors->elements[kept++] = *error;
	}
	errors->count = kept;
}

/*
 * Adds the failures of requests about a vehicle that need an action.  A missing
 * permission is none: the application may not want it, and if it does, the granted
 * scopes show that it is missing.  Returns whether a failure is transient.
 */
static bool
add_failures(SmartcarConnectionErrors *errors, const SmartcarFailure *const *failures, int count,
			 const SmartcarKnownTime *time)
{
	bool		has_transient = false;

	for (int i = 0; i < count; i++)
	{
		const SmartcarApiError *error = &failures[i]->api_error;

		if (error->status == 403 || error->action == SMARTCAR_ACTION_NONE ||
			error->action == SMARTCAR_ACTION_UNKNOWN)
			continue;
		if (error->action == SMARTCAR_ACTION_RETRY)
			has_transient = true;
		(void) smartcar_connection_errors_begin(errors, error, time);
	}
	return has_transient;
}

/*
 * Replaces the errors by the failures of requests about a vehicle.  If Tesla has
 * responded and no failure is transient, no other error exists any more; otherwise only
 * transient errors are known to have ended.
 */
void
smartcar_connection_errors_replace(SmartcarConnectionErrors *errors,
								   const SmartcarFailure *const *failures, int count,
								   bool has_tesla_responded, TimestampTz requested_at)
{
	SmartcarKnownTime time = smartcar_known_time(requested_at);
	SmartcarConnectionErrors found = {.complete_at = DT_NOEND};
	bool		is_complete = !add_failures(&found, failures, count, &time) && has_tesla_responded;

	remove_known(errors, &time, !is_complete);
	(void) add_failures(errors, failures, count, &time);
	if (is_complete && smartcar_replaces(&time, errors->complete_at))
		errors->complete_at = requested_at;
}

/*
 * Returns the error to fix first, the latest of several; NULL if there is none.
 */
const SmartcarConnectionError *
smartcar_connection_errors_first(const SmartcarConnectionErrors *errors)
{
	const SmartcarConnectionError *first = NULL;

	for (int i = 0; i < errors->count; i++)
	{
		const SmartcarConnectionError *error = &errors->elements[i];

		if (error->has_ended)
			continue;
		if (first == NULL || action_rank(error->action) < action_rank(first->action) ||
			(action_rank(error->action) == action_rank(first->action) &&
			 error->known_at >= first->known_at))
			first = error;
	}
	return first;
}

static void
write_member(StringInfo text, const char *name, SmartcarSpan value)
{
	if (value.data == NULL)
		return;
	appendStringInfo(text, "\"%s\": ", name);
	escape_json(text, pnstrdup(value.data, value.length));
	appendStringInfoString(text, ", ");
}

/*
 * Returns the errors as JSON; NULL if there are none.
 */
const char *
smartcar_connection_errors_text(const SmartcarConnectionErrors *errors)
{
	TimestampTz oldest = GetCurrentTimestamp() - ENDED_RETENTION;
	StringInfoData text;
	char		time[MAXDATELEN + 1];

	initStringInfo(&text);
	for (int i = 0; i < errors->count; i++)
	{
		const SmartcarConnectionError *error = &errors->elements[i];

		if (error->has_ended && error->known_at < oldest)
			continue;
		appendStringInfoString(&text, text.len == 0 ? "[{" : ", {");
		write_member(&text, "type", error->type);
		write_member(&text, "code", error->code);
		write_member(&text, "description", error->description);
		write_member(&text, "url", error->url);
		if (error->action != SMARTCAR_ACTION_UNKNOWN)
			write_member(&text, "action",
						 smartcar_span_from_string(smartcar_action_label(error->action)));
		appendStringInfo(&text, "\"known_at\": \"%s\", \"has_ended\": %s}",
						 JsonEncodeDateTime(time, TimestampTzGetDatum(error->known_at),
											TIMESTAMPTZOID, NULL),
						 error->has_ended ? "true" : "false");
	}
	if (text.len == 0)
		return NULL;
	appendStringInfoChar(&text, ']');
	return text.data;
}
