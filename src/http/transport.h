/*-------------------------------------------------------------------------
 *
 * transport.h
 *	  Requests over HTTP from within a backend, one or many at once.
 *
 * This is the main header of src/http.  What lives in this folder: libcurl,
 * the loop that waits for it without holding up the server, limits, repeats,
 * and the reason where no answer came.  What must not live here: knowledge of
 * Smartcar, of SQL and of options; src/pg turns those into what is below, and
 * an outcome into an error.
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
	int			timeout;		/* the same, of a request and its repeats */
	int			max_concurrency;
	size_t		max_response_size;	/* in bytes, after decompression */
	const char *ca_file;		/* NULL: the system's */
	uint32		wait_event;		/* what pg_stat_activity shows */
} SmartcarHttpSettings;

#define SMARTCAR_REQUEST_MAX_HEADERS	6

typedef struct SmartcarRequest
{
	const char *method;
	const char *url;
	const char *headers[SMARTCAR_REQUEST_MAX_HEADERS];	/* "Name: value" */
	int			header_count;
	SmartcarSpan body;			/* no data: none */

	/*
	 * Whether it does no harm that the server gets the request twice.  One
	 * for which it does is sent once, over a connection that has no other
	 * request before, beside or after it.
	 */
	bool		idempotent;
} SmartcarRequest;

typedef enum SmartcarOutcome
{
	SMARTCAR_ANSWERED,
	SMARTCAR_NO_CONNECTION,		/* there was none, or it broke */
	SMARTCAR_TLS_FAILED,
	SMARTCAR_TIMED_OUT,
	SMARTCAR_UNUSABLE,			/* an answer that cannot be taken */
	SMARTCAR_TOO_LARGE,			/* the same for its size */
	SMARTCAR_OUT_OF_MEMORY
} SmartcarOutcome;

/* How far a request came. */
typedef enum SmartcarPhase
{
	SMARTCAR_PHASE_RESOLVE,
	SMARTCAR_PHASE_CONNECT,
	SMARTCAR_PHASE_TLS,
	SMARTCAR_PHASE_WAIT,		/* for the answer to begin */
	SMARTCAR_PHASE_RECEIVE
} SmartcarPhase;

/* What it points to is there until the function that was given it returns. */
typedef struct SmartcarResponse
{
	SmartcarOutcome outcome;
	int			status;			/* 0 if there was no answer */
	SmartcarSpan headers;		/* lines that end in CR LF */
	SmartcarSpan body;
	SmartcarPhase phase;
	int			elapsed;		/* milliseconds since the first try began */
	int			tries;
	const char *reason;			/* libcurl's words; "" if it has none */
} SmartcarResponse;

/*
 * Where the requests of a run come from and where their answers go.  All
 * functions may raise errors.
 *
 * next() returns a request, which must stay as it is until it is done, and
 * NULL when there is none; it is asked again after each that is done.  done()
 * is told about each in the order in which they end; if it returns true, the
 * same request, which it may have changed, is sent again as a new one.
 *
 * idle(), if there is one, is called whenever all that has come is done, before
 * interrupts are served, and at least every 100 ms; it should not take long.
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
