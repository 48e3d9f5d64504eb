/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between the major versions of PostgreSQL.
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
#include "common/jsonapi.h"
#include "utils/acl.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "smartcar_tesla needs PostgreSQL 15 or later"
#endif

/* 16 moved the macros for variable-length types out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 replaced the function for each kind of object by one. */
static inline AclResult
smartcar_server_aclcheck(Oid serverid, Oid userid, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, userid, mode);
#else
	return pg_foreign_server_aclcheck(serverid, userid, mode);
#endif
}

/* 16 lets the actions of the JSON parser report an error. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType SmartcarJsonActionResult;
#define SMARTCAR_JSON_ACTION_DONE	return JSON_SUCCESS
#else
typedef void SmartcarJsonActionResult;
#define SMARTCAR_JSON_ACTION_DONE	return
#endif

/*
 * An escape for a character that the encoding of the database does not have:
 * 15 raises the error itself.
 */
static inline bool
smartcar_json_untranslatable(JsonParseErrorType status)
{
#if PG_VERSION_NUM >= 160000
	return status == JSON_UNICODE_UNTRANSLATABLE;
#else
	return false;
#endif
}

/* 17 made room for a lexer that its caller allocated. */
static inline JsonLexContext *
smartcar_make_json_lexer(char *json, int length, int encoding)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, json, length, encoding, true);
#else
	return makeJsonLexContextCstringLen(json, length, encoding, true);
#endif
}

/* 17 gives an extension wait events of its own. */
#if PG_VERSION_NUM >= 170000
#define smartcar_new_wait_event(name)	WaitEventExtensionNew(name)
#else
#define smartcar_new_wait_event(name)	((uint32) PG_WAIT_EXTENSION)
#endif

/* 18 has a name of its own for C11's _Noreturn. */
#ifndef pg_noreturn
#define pg_noreturn		_Noreturn
#endif

/* 18 can tell the version of a loaded module. */
#ifdef PG_MODULE_MAGIC_EXT
#define SMARTCAR_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "smartcar_tesla", .version = SMARTCAR_TESLA_VERSION)
#else
#define SMARTCAR_MODULE_MAGIC	PG_MODULE_MAGIC
#endif

#endif							/* SMARTCAR_COMPAT_H */
