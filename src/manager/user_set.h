/*-------------------------------------------------------------------------
 *
 * user_set.h
 *	  The ids of users of whom something is true just now.
 *
 * It is a hash table of strings; how many there are and which ones is asked of
 * that.
 *
 * src/manager/user_set.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_USER_SET_H
#define SMARTCAR_USER_SET_H

#include "postgres.h"

#include "utils/hsearch.h"

extern HTAB *smartcar_user_set_create(const char *name);
extern void smartcar_user_set_note(HTAB *set, const char *user_id, bool is_member);

#endif							/* SMARTCAR_USER_SET_H */
