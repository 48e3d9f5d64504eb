/*-------------------------------------------------------------------------
 *
 * action.h
 *	  Values of the SQL type smartcar_action.
 *
 * src/pg/action.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ACTION_H
#define SMARTCAR_ACTION_H

#include "postgres.h"

#include "core/error.h"

extern Datum smartcar_action_datum(SmartcarAction action, Oid type);

#endif							/* SMARTCAR_ACTION_H */
