/*-------------------------------------------------------------------------
 *
 * forgotten_user.h
 *	  Statements on the table smartcar_tesla.forgotten_user.
 *
 * A list of connections that was requested before an owner was forgotten, or an event
 * that is repeated, must not bring the owner back.  So a hash of each user is kept for
 * as long as an event may be repeated.
 *
 * src/manager/forgotten_user.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FORGOTTEN_USER_H
#define SMARTCAR_FORGOTTEN_USER_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "pg/server.h"

/*
 * The condition that a user was not forgotten since a time.  $1 of the statement is the
 * server.  Its transaction inserts into smartcar_tesla.connection, or has called
 * smartcar_forgotten_users_lock().
 */
#define SMARTCAR_IS_NOT_FORGOTTEN(user_id, time) \
	"NOT EXISTS (SELECT FROM smartcar_tesla.forgotten_user f " \
	"WHERE f.server = $1 AND f.user_hash = sha256(convert_to(" user_id ", 'UTF8')) " \
	"AND f.forgotten_at >= " time ") "

/* The year 2000: before any user was forgotten. */
#define SMARTCAR_AT_ANY_TIME	((TimestampTz) 0)

extern void smartcar_user_record_forgotten(const SmartcarServer *server, const char *user_id);
extern void smartcar_forgotten_users_lock(void);
extern bool smartcar_user_is_forgotten(const SmartcarServer *server, const char *user_id,
									   TimestampTz since);
extern void smartcar_forgotten_users_wait(void);

#endif							/* SMARTCAR_FORGOTTEN_USER_H */
