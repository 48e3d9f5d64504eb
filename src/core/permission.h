/*-------------------------------------------------------------------------
 *
 * permission.h
 *	  Smartcar's permissions and the Tesla permissions that they need.
 *
 * src/core/permission.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PERMISSION_H
#define SMARTCAR_PERMISSION_H

#include "core/span.h"

/* All permissions that Smartcar documents, and those that need one of Tesla's. */
#define SMARTCAR_PERMISSION_COUNT			28
#define SMARTCAR_MAPPED_PERMISSION_COUNT	23

/* A longer name is malformed. */
#define SMARTCAR_PERMISSION_MAX_LENGTH		128

typedef enum SmartcarTeslaPermission
{
	SMARTCAR_TESLA_NONE,		/* Smartcar documents none */
	SMARTCAR_TESLA_PROFILE_INFORMATION,
	SMARTCAR_TESLA_VEHICLE_INFORMATION,
	SMARTCAR_TESLA_VEHICLE_LOCATION,
	SMARTCAR_TESLA_VEHICLE_COMMANDS,
	SMARTCAR_TESLA_VEHICLE_CHARGE_MANAGEMENT
} SmartcarTeslaPermission;

/* including SMARTCAR_TESLA_NONE */
#define SMARTCAR_TESLA_PERMISSION_COUNT		6

typedef struct SmartcarPermission
{
	SmartcarSpan name;			/* percent-encoding would not change it */
	SmartcarSpan encoded_required;	/* "required:" and the name, for a link */
	SmartcarTeslaPermission tesla;
} SmartcarPermission;

/*
 * The known permissions in the order of Smartcar's Tesla page, those without a
 * Tesla permission last.  Elsewhere, a known permission is an index of this
 * table.
 */
extern const SmartcarPermission smartcar_permission_table[SMARTCAR_PERMISSION_COUNT];

extern bool smartcar_permission_strip_required(SmartcarSpan *name);
extern bool smartcar_permission_well_formed(SmartcarSpan name);
extern int	smartcar_permission_find(SmartcarSpan name);
extern SmartcarSpan smartcar_permission_suggest(SmartcarSpan name);

extern SmartcarSpan smartcar_tesla_permission_name(SmartcarTeslaPermission tesla);
extern SmartcarSpan smartcar_tesla_permission_scope(SmartcarTeslaPermission tesla);
extern SmartcarTeslaPermission smartcar_tesla_permission_find_scope(SmartcarSpan scope);

#endif							/* SMARTCAR_PERMISSION_H */
