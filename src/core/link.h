/*-------------------------------------------------------------------------
 *
 * link.h
 *	  Links to Smartcar Connect.
 *
 * A link is built in two steps, because a query may build one for each of a
 * million rows.  Compiling it once encodes everything that is the same in all
 * rows.  Writing it for a row copies these ready bytes and encodes only the
 * values that vary.
 *
 * src/core/link.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_LINK_H
#define SMARTCAR_LINK_H

#include "core/span.h"

#include <stdint.h>

#define SMARTCAR_CONNECT_ORIGIN		"https://connect.smartcar.com"

/* The versions of Smartcar's API, which name two of the parameters differently. */
typedef enum SmartcarApiVersion
{
	SMARTCAR_API_V2,
	SMARTCAR_API_V3
} SmartcarApiVersion;

typedef enum SmartcarLinkKind
{
	SMARTCAR_LINK_CONNECT,		/* /oauth/authorize */
	SMARTCAR_LINK_UPDATE_ACCESS,	/* /oauth/authorize, Tesla's update-access
									 * form */
	SMARTCAR_LINK_UPDATE_ACCESS_ONLY,	/* /oauth/reauthenticate, Tesla's
										 * update-access form */
	SMARTCAR_LINK_REAUTHENTICATE	/* /oauth/reauthenticate for one vehicle */
} SmartcarLinkKind;

typedef enum SmartcarLinkParameter
{
	SMARTCAR_LINK_RESPONSE_TYPE,
	SMARTCAR_LINK_APPLICATION,	/* client_id or application_id */
	SMARTCAR_LINK_APPROVAL_PROMPT,
	SMARTCAR_LINK_REDIRECT_URI,
	SMARTCAR_LINK_SCOPE,
	SMARTCAR_LINK_STATE,
	SMARTCAR_LINK_SINGLE_SELECT,
	SMARTCAR_LINK_SINGLE_SELECT_VIN,
	SMARTCAR_LINK_MAKE,
	SMARTCAR_LINK_FLAGS,
	SMARTCAR_LINK_OWNER,		/* user or external_id */
	SMARTCAR_LINK_MODE,
	SMARTCAR_LINK_VEHICLE_ID
} SmartcarLinkParameter;

#define SMARTCAR_LINK_PARAMETER_COUNT	(SMARTCAR_LINK_VEHICLE_ID + 1)
#define SMARTCAR_LINK_PARAMETER_BIT(p)	(UINT32_C(1) << (p))

/*
 * The values of one parameter, which the link joins by spaces.  A parameter
 * without words is left out.
 */
typedef struct SmartcarWords
{
	const SmartcarSpan *words;
	size_t		count;
	bool		is_encoded;		/* the words are percent-encoded */
} SmartcarWords;

typedef struct SmartcarLink
{
	SmartcarLinkKind kind;
	SmartcarApiVersion api_version;
	SmartcarSpan origin;
	SmartcarWords values[SMARTCAR_LINK_PARAMETER_COUNT];
} SmartcarLink;

/*
 * A piece of a compiled link: ready bytes, or the name of a parameter whose
 * value varies.  The name is left out if there is no value.
 */
typedef struct SmartcarLinkPiece
{
	size_t		length;
	int			parameter;		/* SMARTCAR_LINK_READY_BYTES or a
								 * SmartcarLinkParameter */
} SmartcarLinkPiece;

#define SMARTCAR_LINK_READY_BYTES		(-1)
#define SMARTCAR_LINK_MAX_PIECES	(2 * SMARTCAR_LINK_PARAMETER_COUNT + 1)

typedef struct SmartcarCompiledLink
{
	SmartcarLinkPiece pieces[SMARTCAR_LINK_MAX_PIECES];
	int			piece_count;
	size_t		ready_length;	/* the sum of all ready bytes */
	char	   *bytes;			/* of all pieces in sequence */
} SmartcarCompiledLink;

extern bool smartcar_mode_valid(SmartcarSpan mode);

extern size_t smartcar_link_compile(const SmartcarLink *link, uint32_t varying,
									char *bytes, SmartcarCompiledLink *compiled);
extern size_t smartcar_link_bound(const SmartcarCompiledLink *compiled,
								  const SmartcarLink *link);
extern size_t smartcar_link_write(const SmartcarCompiledLink *compiled,
								  const SmartcarLink *link, char *target);

#endif							/* SMARTCAR_LINK_H */
