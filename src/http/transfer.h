/*-------------------------------------------------------------------------
 *
 * transfer.h
 *	  One try of a request: a transfer of libcurl.
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
	bool		is_interim;		/* the header has a status of 1xx */
	SmartcarPhase phase;
	bool		opened_connection;	/* libcurl has opened one for it */
	bool		reused_connection;	/* it was first sent over an existing one */
	bool		stream_refused; /* by the server */
	bool		unexpected_input;	/* on its connection, before it was sent */
	int			send_count;
	char		reason[CURL_ERROR_SIZE];
} SmartcarTransfer;

/* How a try uses the addresses of its host in libcurl's cache. */
typedef enum SmartcarDnsUse
{
	SMARTCAR_DNS_CACHE,			/* if they are younger than a minute */
	SMARTCAR_DNS_KEEP,			/* whatever their age */
	SMARTCAR_DNS_RENEW			/* not: it resolves the name again */
} SmartcarDnsUse;

extern void smartcar_transfer_prepare(SmartcarTransfer *transfer,
									  const SmartcarHttpSettings *settings,
									  const SmartcarRequest *request);
extern void smartcar_transfer_set_connection(SmartcarTransfer *transfer,
											 const SmartcarRequest *request, bool fresh,
											 SmartcarDnsUse dns_use);
extern void smartcar_transfer_forbid_reuse(SmartcarTransfer *transfer);
extern void smartcar_transfer_record_idle(const SmartcarTransfer *transfer);
extern bool smartcar_transfer_is_resolved(const SmartcarTransfer *transfer);
extern bool smartcar_transfer_has_connection(const SmartcarTransfer *transfer);
extern int	smartcar_transfer_send_count(const SmartcarTransfer *transfer);
extern void smartcar_transfer_result(SmartcarTransfer *transfer, CURLcode code,
									 SmartcarResponse *response);
extern void smartcar_transfer_release(SmartcarTransfer *transfer);

#endif							/* SMARTCAR_TRANSFER_H */
