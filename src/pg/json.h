/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Parses and reads untrusted JSON.
 *
 * src/pg/json.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_JSON_H
#define SMARTCAR_JSON_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#include "core/span.h"

/*
 * The longest text that is parsed.  Responses of the APIs are much shorter, and
 * each step with such a text is short enough not to delay a cancel.
 */
#define SMARTCAR_JSON_MAX_LENGTH	(16 * 1024 * 1024)

/* See smartcar_check_for_interrupts(). */
#define SMARTCAR_SHORT_TEXT			(1024 * 1024)

extern void smartcar_check_for_interrupts(SmartcarSpan text);
extern Jsonb *smartcar_json_parse(SmartcarSpan text);
extern JsonbContainer *smartcar_json_try_parse(SmartcarSpan text);
extern JsonbValue *smartcar_json_member(JsonbContainer *object, const char *key,
										JsonbValue *value);
extern JsonbContainer *smartcar_json_object_member(JsonbContainer *object, const char *key);
extern SmartcarSpan smartcar_json_text_member(JsonbContainer *object, const char *key);
extern Jsonb *smartcar_json_copy_member(JsonbContainer *object, const char *key);
extern JsonbContainer *smartcar_json_array_member(JsonbContainer *object, const char *key);
extern JsonbContainer *smartcar_json_object_element(JsonbContainer *array, uint32 index);
extern SmartcarSpan smartcar_json_text_element(JsonbContainer *array, uint32 index);
extern bool smartcar_json_integer_member(JsonbContainer *object, const char *key,
										 int32 *integer);
extern bool smartcar_json_boolean_member(JsonbContainer *object, const char *key,
										 bool *boolean);
extern bool smartcar_json_time_member(JsonbContainer *object, const char *key,
									  TimestampTz *time);

#endif							/* SMARTCAR_JSON_H */
