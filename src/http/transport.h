/*-------------------------------------------------------------------------
 *
 * transport.h
 *	  HTTP requests from within a backend, one or many at once.
 *
 * This is the main header of src/http.  What lives in this folder: libcurl,
 * the loop that waits for it without holding up the server, limits, retries,
 * and the reason if there is no response.  What must not live here: knowledge
 * of Smartcar, of SQL and of options; src/call turns those into what is below,
 * and an outcome into an error.
 *
 * Two rules keep a session sound.  Nothing that libcurl calls back may raise
 * an error, because an error would jump over libcurl's own clean-up.  And
 * everything of libcurl's hangs on a memory context, so that it goes away
 * however a statement ends.
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
	const char *ca_file;		/* NULL: the system's */
	uint32		wait_event;		/* what pg_stat_activity shows */
} SmartcarHttpSettings;

#define SMARTCAR_REQUEST_MAX_HEADERS	6

/*
 * How often the server may get a request.  All but the repeatable ones have a
 * connection of their own, on which no other request comes before, beside or
 * after them.
 */
typedef enum SmartcarRequestKind
{
	SMARTCAR_REQUEST_ONCE,		/* never twice, whatever the response */
	SMARTCAR_REQUEST_NOT_REPEATABLE,	/* again only if the server says that
										 * it has not carried it out */
	SMARTCAR_REQUEST_REPEATABLE
} SmartcarRequestKind;

typedef struct SmartcarRequest
{
	const char *method;
	const char *url;
	const char *headers[SMARTCAR_REQUEST_MAX_HEADERS];	/* "Name: value" */
	int			header_count;
	SmartcarSpan body;			/* no data: none */
	SmartcarRequestKind kind;
} SmartcarRequest;

typedef enum SmartcarOutcome
{
	SMARTCAR_OUTCOME_RESPONSE,
	SMARTCAR_OUTCOME_NO_CONNECTION, /* there was none, or it broke */
	SMARTCAR_OUTCOME_TLS_FAILED,
	SMARTCAR_OUTCOME_TIMED_OUT,
	SMARTCAR_OUTCOME_UNUSABLE,	/* a response that breaks the rules of HTTP */
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

/* What it points to is valid until done() returns. */
typedef struct SmartcarResponse
{
	SmartcarOutcome outcome;
	int			status;			/* 0 if there was no response */
	SmartcarSpan headers;		/* lines that end in CR LF */
	SmartcarSpan body;
	SmartcarPhase phase;
	int			elapsed;		/* milliseconds since the first try began,
								 * without those of next() and done() */
	int			tries;			/* how often it was sent, as far as is known */
	const char *reason;			/* libcurl's words; "" if it has none */
} SmartcarResponse;

/*
 * Where the requests of a run come from and where their responses go.
 *
 * next() returns a request, which must not change until it is done, or NULL if
 * there is none; it is called again after each request that is done.  done() is
 * called for each in the order in which they end; if it returns true, that
 * request, which it may have changed, is sent again as a new one.
 *
 * idle(), which may be NULL, is called when done() has been called for all that has
 * come, before interrupts are served, and at least every 100 ms.
 *
 * All are called in the middle of the run, while other requests are under way.
 * They may run SQL, commit, start a run of their own, take their time, and
 * raise errors.  An error ends the run: responses that have not been handed
 * over are lost, and the connections that were in use are closed.
 */
typedef struct SmartcarRequestSource
{
	SmartcarRequest *(*next) (struct SmartcarRequestSource *source);
	bool		(*done) (struct SmartcarRequestSource *source, SmartcarRequest *request,
						 const SmartcarResponse *response);
	void		(*idle) (struct SmartcarRequestSource *source);
} SmartcarRequestSource;

extern void smartcar_http_run(const SmartcarHttpSettings *settings,
							  SmartcarRequestSource *source);

#endif							/* SMARTCAR_TRANSPORT_H */
