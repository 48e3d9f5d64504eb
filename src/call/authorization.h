/*-------------------------------------------------------------------------
 *
 * authorization.h
 *	  Authorizes calls.
 *
 * src/call/authorization.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_AUTHORIZATION_H
#define SMARTCAR_AUTHORIZATION_H

#include "postgres.h"

#include "call/item.h"

extern void smartcar_call_authorize(SmartcarCall *call, SmartcarAuthorization authorization);

#endif							/* SMARTCAR_AUTHORIZATION_H */
