/*-------------------------------------------------------------------------
 *
 * owner.h
 *	  Statements that read and set the owner of a Smartcar user.
 *
 * src/manager/owner.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_OWNER_H
#define SMARTCAR_OWNER_H

#include "datatype/timestamp.h"

#include "pg/server.h"

typedef enum SmartcarAdoption
{
	SMARTCAR_ADOPTION_UNKNOWN,	/* no row has the user */
	SMARTCAR_ADOPTION_SAME,		/* nothing had to be changed */
	SMARTCAR_ADOPTION_FIRST,	/* the user had no owner */
	SMARTCAR_ADOPTION_REPLACED	/* the user had another owner */
} SmartcarAdoption;

extern bool smartcar_owner_is_known(const SmartcarServer *server, const char *external_id);
extern bool smartcar_owner_has_user(const SmartcarServer *server, const char *external_id,
									const char *user_id);
extern void smartcar_owners_report_changes(const SmartcarServer *server, const char *user_id,
										   TimestampTz stored_at);
extern const char *smartcar_owner_previous(const SmartcarServer *server, const char *external_id,
										   const char *user_id, TimestampTz since);
extern SmartcarAdoption smartcar_owner_adopt(const SmartcarServer *server, const char *user_id,
											 const char *external_id);

#endif							/* SMARTCAR_OWNER_H */
