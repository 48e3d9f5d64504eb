/*-------------------------------------------------------------------------
 *
 * json.h
 *	  JSON that somebody else sent.
 *
 * src/pg/json.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_JSON_H
#define SMARTCAR_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/span.h"

extern Jsonb *smartcar_json_parse(SmartcarSpan text);
extern JsonbValue *smartcar_json_member(JsonbContainer *object, const char *key,
										JsonbValue *value);
extern JsonbContainer *smartcar_json_object_member(JsonbContainer *object, const char *key);
extern SmartcarSpan smartcar_json_text_member(JsonbContainer *object, const char *key);

#endif							/* SMARTCAR_JSON_H */
