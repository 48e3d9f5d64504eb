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
	size_t		header_size;	/* of all headers and trailers */
	bool		expects_status; /* the next line begins a header */
	bool		is_interim;		/* the header is that of a 1xx */
	SmartcarPhase phase;
	bool		connects;		/* libcurl has opened a connection for it */
	bool		joined;			/* it was first sent over one that was there */
	bool		was_refused;	/* the server did not accept its stream */
	bool		was_void;		/* its connection was not fit for use */
	int			sends;
	char		reason[CURL_ERROR_SIZE];
} SmartcarTransfer;

/* What a try does with the addresses of its host that libcurl has cached. */
typedef enum SmartcarNameUse
{
	SMARTCAR_NAME_CACHE,		/* uses them for a minute */
	SMARTCAR_NAME_KEEP,			/* uses them, whatever their age */
	SMARTCAR_NAME_RENEW			/* drops them */
} SmartcarNameUse;

extern void smartcar_transfer_prepare(SmartcarTransfer *transfer,
									  const SmartcarHttpSettings *settings,
									  const SmartcarRequest *request);
extern void smartcar_transfer_set_connection(SmartcarTransfer *transfer,
											 const SmartcarRequest *request, bool fresh,
											 SmartcarNameUse name_use);
extern void smartcar_transfer_forbid_reuse(SmartcarTransfer *transfer);
extern void smartcar_transfer_record_idle(const SmartcarTransfer *transfer);
extern bool smartcar_transfer_has_name(const SmartcarTransfer *transfer);
extern bool smartcar_transfer_has_connection(const SmartcarTransfer *transfer);
extern int	smartcar_transfer_sends(const SmartcarTransfer *transfer);
extern void smartcar_transfer_result(SmartcarTransfer *transfer, CURLcode code,
									 SmartcarResponse *response);
extern void smartcar_transfer_release(SmartcarTransfer *transfer);

#endif							/* SMARTCAR_TRANSFER_H */
