/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between the major versions of PostgreSQL.
 *
 * No other file tests PG_VERSION_NUM.
 *
 * src/pg/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_COMPAT_H
#define SMARTCAR_COMPAT_H

#include "catalog/pg_foreign_server.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "smartcar_tesla needs PostgreSQL 15 or later"
#endif

/* 16 moved the macros for variable-length types out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* smartcar_numeric_int4() needs it from 19 on. */
#if PG_VERSION_NUM >= 190000
#include "nodes/miscnodes.h"
#endif

/* 16 replaced the functions for each kind of object by object_aclcheck(). */
static inline AclResult
smartcar_server_aclcheck(Oid serverid, Oid userid, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, userid, mode);
#else
	return pg_foreign_server_aclcheck(serverid, userid, mode);
#endif
}

/*
 * Returns false for a number that is not an int32.  19 reports that as a soft
 * error.
 */
static inline bool
smartcar_numeric_int4(Numeric number, int32 *integer)
{
#if PG_VERSION_NUM >= 190000
	ErrorSaveContext errors = {T_ErrorSaveContext};

	*integer = numeric_int4_safe(number, (Node *) &errors);
	return !errors.error_occurred;
#else
	bool		failed = false;

	*integer = numeric_int4_opt_error(number, &failed);
	return !failed;
#endif
}

/*
 * Builds a jsonb token by token.  Starts as zeros; after the last token, result is
 * the value.  19 has such a struct itself.
 */
#if PG_VERSION_NUM >= 190000
typedef JsonbInState SmartcarJsonbBuilder;
#else
typedef struct SmartcarJsonbBuilder
{
	JsonbParseState *parseState;
	JsonbValue *result;
} SmartcarJsonbBuilder;
#endif

static inline void
smartcar_jsonb_push(SmartcarJsonbBuilder *builder, JsonbIteratorToken token, JsonbValue *value)
{
#if PG_VERSION_NUM >= 190000
	pushJsonbValue(builder, token, value);
#else
	builder->result = pushJsonbValue(&builder->parseState, token, value);
#endif
}

/*
 * The flags that end the session at the next check for interrupts, and the timers
 * that may set them.  17 added transaction_timeout.
 */
#if PG_VERSION_NUM >= 170000
#define SMARTCAR_END_FLAGS \
	&ProcDiePending, &ClientConnectionLost, &CheckClientConnectionPending, \
	&TransactionTimeoutPending
#define SMARTCAR_END_TIMERS		CLIENT_CONNECTION_CHECK_TIMEOUT, TRANSACTION_TIMEOUT
#else
#define SMARTCAR_END_FLAGS \
	&ProcDiePending, &ClientConnectionLost, &CheckClientConnectionPending
#define SMARTCAR_END_TIMERS		CLIENT_CONNECTION_CHECK_TIMEOUT
#endif

/* 17 added wait events of extensions. */
#if PG_VERSION_NUM >= 170000
#define smartcar_new_wait_event(name)	WaitEventExtensionNew(name)
#else
#define smartcar_new_wait_event(name)	((uint32) PG_WAIT_EXTENSION)
#endif

/* 18 added pg_noreturn. */
#ifndef pg_noreturn
#define pg_noreturn		_Noreturn
#endif

/* 18 added the version of a module. */
#ifdef PG_MODULE_MAGIC_EXT
#define SMARTCAR_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "smartcar_tesla", .version = SMARTCAR_TESLA_VERSION)
#else
#define SMARTCAR_MODULE_MAGIC	PG_MODULE_MAGIC
#endif

#endif							/* SMARTCAR_COMPAT_H */
