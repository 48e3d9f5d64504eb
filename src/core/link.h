/*-------------------------------------------------------------------------
 *
 * link.h
 *	  The links into Smartcar Connect.
 *
 * A link is made in two steps.  Compiling it puts everything that stays the
 * same from one row to the next into one run of ready bytes; writing it copies
 * those bytes and encodes only what varies.  Where nothing varies, everything
 * is ready bytes.
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

/* The two generations of Smartcar's API, which name two parameters differently. */
typedef enum SmartcarApiVersion
{
	SMARTCAR_API_V2,
	SMARTCAR_API_V3
} SmartcarApiVersion;

typedef enum SmartcarLinkKind
{
	SMARTCAR_LINK_CONNECT,		/* /oauth/authorize */
	SMARTCAR_LINK_UPDATE_ACCESS,	/* the same, Tesla's update-access form */
	SMARTCAR_LINK_UPDATE_ACCESS_ONLY,	/* /oauth/reauthenticate, Tesla's form */
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
 * The values of one parameter, joined by a space in the link.  No words: the
 * parameter is left out.
 */
typedef struct SmartcarWords
{
	const SmartcarSpan *words;
	size_t		count;
} SmartcarWords;

typedef struct SmartcarLink
{
	SmartcarLinkKind kind;
	SmartcarApiVersion api_version;
	SmartcarSpan origin;
	SmartcarWords values[SMARTCAR_LINK_PARAMETER_COUNT];
} SmartcarLink;

/*
 * A piece of a compiled link: ready bytes, or the name of a parameter that
 * varies, to be followed by its value or left out with it.
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
	size_t		ready_length;	/* of all ready bytes together */
	char	   *bytes;			/* of all pieces, one after the other */
} SmartcarCompiledLink;

extern bool smartcar_mode_valid(SmartcarSpan mode);

extern size_t smartcar_link_compile(const SmartcarLink *link, uint32_t varying,
									char *bytes, SmartcarCompiledLink *compiled);
extern size_t smartcar_link_bound(const SmartcarCompiledLink *compiled,
								  const SmartcarLink *link);
extern size_t smartcar_link_write(const SmartcarCompiledLink *compiled,
								  const SmartcarLink *link, char *target);

#endif							/* SMARTCAR_LINK_H */
