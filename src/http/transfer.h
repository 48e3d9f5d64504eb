/*-------------------------------------------------------------------------
 *
 * transfer.h
 *	  One try of one request, as libcurl knows it.
 *
 * src/http/transfer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TRANSFER_H
#define SMARTCAR_TRANSFER_H

#include "postgres.h"

#include <curl/curl.h>

#include "http/buffer.h"
#include "http/transport.h"

typedef struct SmartcarTransfer
{
	CURL	   *easy;
	struct curl_slist *headers;
	SmartcarBuffer header_lines;
	SmartcarBuffer body;
	SmartcarPhase phase;
	char		reason[CURL_ERROR_SIZE];
} SmartcarTransfer;

extern void smartcar_transfer_prepare(SmartcarTransfer *transfer,
									  const SmartcarHttpSettings *settings,
									  const SmartcarRequest *request, int timeout,
									  bool again);
extern bool smartcar_transfer_has_connection(const SmartcarTransfer *transfer);
extern void smartcar_transfer_result(SmartcarTransfer *transfer, CURLcode code,
									 SmartcarResponse *response);
extern void smartcar_transfer_release(SmartcarTransfer *transfer);

#endif							/* SMARTCAR_TRANSFER_H */
