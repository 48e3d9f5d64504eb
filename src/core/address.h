/*-------------------------------------------------------------------------
 *
 * address.h
 *	  Validation of origins, redirect URIs and application ids.
 *
 * src/core/address.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ADDRESS_H
#define SMARTCAR_ADDRESS_H

#include "core/span.h"

extern bool smartcar_origin_valid(SmartcarSpan origin);
extern bool smartcar_redirect_uri_valid(SmartcarSpan uri);
extern bool smartcar_is_api_credential_id(SmartcarSpan id);
extern bool smartcar_client_id_valid(SmartcarSpan id);

#endif							/* SMARTCAR_ADDRESS_H */
