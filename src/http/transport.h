/*-------------------------------------------------------------------------
 *
 * transport.h
 *	  HTTP requests of a backend, one or many at a time.
 *
 * This is the main header of src/http, which holds everything that uses
 * libcurl: the interruptible loop that waits for it, limits, retries, and the
 * reason why there is no response.  It must not know Smartcar, SQL or options;
 * src/call translates between those and the types below.
 *
 * Two rules keep the backend consistent.  A function that libcurl calls must not
 * raise an error, because the error would skip libcurl's cleanup.  And all
 * memory of libcurl is released with a memory context, however the statement
 * ends.
 *
 * src/http/transport.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TRANSPORT_H
#define SMARTCAR_TRANSPORT_H

#include "postgres.h"

#include "core/span.h"

/* The limits that all requests of one run share. */
typedef struct SmartcarHttpSettings
{
	int			connect_timeout;	/* in milliseconds */
	int			timeout;		/* in milliseconds, for a request with its
								 * retries */
	int			max_concurrency;
	size_t		max_response_size;	/* in bytes, after decompression */
	const char *ca_file;		/* NULL: that of the system */
	uint32		wait_event;		/* shown in pg_stat_activity */
} SmartcarHttpSettings;

#define SMARTCAR_REQUEST_MAX_HEADERS	6

/*
 * How often the server may get a request.  A request that is not repeatable has
 * a connection to itself, which no other request uses before, beside or after it.
 */
typedef enum SmartcarRequestKind
{
	SMARTCAR_REQUEST_ONCE,		/* never sent again */
	SMARTCAR_REQUEST_NOT_REPEATABLE,	/* sent again only if the server says
										 * that it has not carried it out */
	SMARTCAR_REQUEST_REPEATABLE
} SmartcarRequestKind;

typedef struct SmartcarRequest
{
	const char *method;
	const char *url;
	const char *headers[SMARTCAR_REQUEST_MAX_HEADERS];	/* "Name: value" */
	int			header_count;
	SmartcarSpan body;			/* no data if it has none */
	SmartcarRequestKind kind;
} SmartcarRequest;

typedef enum SmartcarOutcome
{
	SMARTCAR_OUTCOME_RESPONSE,
	SMARTCAR_OUTCOME_NO_CONNECTION, /* not established, or lost */
	SMARTCAR_OUTCOME_TLS_FAILED,
	SMARTCAR_OUTCOME_TIMED_OUT,
	SMARTCAR_OUTCOME_UNUSABLE,	/* a response that is not valid HTTP */
	SMARTCAR_OUTCOME_TOO_LARGE, /* a body above max_response_size */
	SMARTCAR_OUTCOME_OUT_OF_MEMORY
} SmartcarOutcome;

/* How far a request got. */
typedef enum SmartcarPhase
{
	SMARTCAR_PHASE_RESOLVE,
	SMARTCAR_PHASE_CONNECT,
	SMARTCAR_PHASE_TLS,
	SMARTCAR_PHASE_WAIT,		/* for the response to begin */
	SMARTCAR_PHASE_RECEIVE
} SmartcarPhase;

/* Its pointers are valid until done() returns. */
typedef struct SmartcarResponse
{
	SmartcarOutcome outcome;
	int			status;			/* 0 if there was no response */
	SmartcarSpan headers;		/* lines that end in CR LF */
	SmartcarSpan body;
	SmartcarPhase phase;
	int			elapsed;		/* milliseconds since the first try began,
								 * without those of next() and done() */
	int			tries;			/* how often it was sent, as far as known */
	const char *reason;			/* libcurl's error text; "" if it has none */
} SmartcarResponse;

/*
 * Provides the requests of a run and receives their responses.
 *
 * next() returns a request, or NULL if there is none at the moment; it is called
 * again after each request that is done.  The request must not change until it
 * is done.
 *
 * done() is called for each request in the order in which they finish.  It may
 * change the request and return true, to have it sent as a new request.
 *
 * after_responses(), which may be NULL, is called after done() was called for all
 * responses that have arrived and the next requests were sent, before interrupts are
 * served, and at least every 100 ms.
 *
 * All three are called while other requests are running.  They may run SQL,
 * commit, start another run, take long, and raise errors.  An error ends the
 * run: responses without a call of done() are lost, and the connections in use
 * are closed.
 */
typedef struct SmartcarRequestSource
{
	SmartcarRequest *(*next) (struct SmartcarRequestSource *source);
	bool		(*done) (struct SmartcarRequestSource *source, SmartcarRequest *request,
						 const SmartcarResponse *response);
	void		(*after_responses) (struct SmartcarRequestSource *source);
} SmartcarRequestSource;

extern void smartcar_http_run(const SmartcarHttpSettings *settings,
							  SmartcarRequestSource *source);

#endif							/* SMARTCAR_TRANSPORT_H */
