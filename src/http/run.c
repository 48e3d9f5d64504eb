/*-------------------------------------------------------------------------
 *
 * run.c
 *	  The loop that sends requests and waits for their responses.
 *
 * A backend must respond to interrupts while it waits: to a cancel, to the end
 * of its session, and to the barrier with which DROP DATABASE asks every backend
 * to close its files.  So libcurl never blocks; the backend sleeps for a short
 * time, until a signal wakes it, and checks for interrupts in between.
 *
 * Timeouts are checked here and not by libcurl, with a clock that stops while
 * the loop does not run, and only after libcurl has read from the sockets.  The
 * source may have waited for a lock, or the machine may have been suspended: a
 * response that has arrived in the meantime must not be lost.
 *
 * src/http/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <pthread.h>
#include <signal.h>

#include "http/transport.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "http/pool.h"
#include "http/retry.h"
#include "http/transfer.h"

/*
 * The longest sleep, in milliseconds.  A signal that arrives between the check
 * for interrupts and the sleep is served only after the sleep.
 */
#define SLICE	100

/* The most that the clock of a run advances at a time. */
#define MAX_STEP	(2 * SLICE)

/*
 * The limit for tries without a connection.  libcurl may compute all their TLS
 * handshakes in one call, without a check for interrupts.  A handshake takes
 * 2 ms, and more on a busy machine.
 */
#define MAX_CONNECTING	16

/*
 * How long the addresses of a host are used, in milliseconds, and how long if a
 * try with them has failed.
 */
#define DNS_LIFETIME		60000
#define FAILED_DNS_LIFETIME	100

typedef enum SlotState
{
	SLOT_FREE,
	SLOT_WAITING,				/* its try waits for another one, see
								 * can_start() */
	SLOT_BUSY,					/* libcurl runs its try */
	SLOT_ENDED,					/* its try has ended */
	SLOT_PAUSED					/* it backs off before its next try */
} SlotState;

/*
 * A host, whose name one try resolves for all others.  libcurl would start a
 * thread for each.
 */
typedef struct Host
{
	struct Host *next;
	CURLM	   *multi;			/* its cache has the addresses */
	char	   *origin;
	int64		resolved;		/* when its name was resolved, or 0 */
	bool		has_failed;		/* its addresses may be wrong */
	int			version;		/* how often its name was resolved */
	struct Slot *resolver;		/* the slot whose try resolves it, or NULL */
} Host;

/* A running request with its tries.  Times are those of the clock of the run. */
typedef struct Slot
{
	SlotState	state;
	SmartcarRequest *request;
	SmartcarTransfer transfer;
	CURLM	   *multi;
	Host	   *host;
	int			host_version;	/* host->version when its try began */
	int			epoch;			/* run->epoch when its try began */
	int			stalls;			/* run->stalls when its try began */
	CURLcode	result;			/* of the try, if SLOT_ENDED */
	bool		has_expired;	/* its try has reached a timeout */
	bool		is_fresh;		/* its try must not use a kept connection */
	int			tries;
	int64		began;
	int64		connected;		/* when its try last had a connection, or
								 * began */
	int64		resumes;		/* when its next try begins, if SLOT_PAUSED */
} Slot;

typedef struct Run
{
	const SmartcarHttpSettings *settings;
	SmartcarRequestSource *source;
	const SmartcarPool *pool;
	MemoryContext context;
	Host	   *hosts;
	int64		clock;			/* milliseconds, without the time of the
								 * source and of a suspended process */
	int64		last;			/* when the clock was last advanced */
	int			stalls;			/* how often the clock stopped */
	int			epoch;			/* number of timeouts, see
								 * retire_connections() */
	int			slot_count;
	int			in_use;			/* number of slots that are not free */
	int			connecting;		/* number of slots whose try has no connection
								 * yet */
	bool		exhausted;		/* the source has no request at the moment */
	MemoryContextCallback callback;
	Slot		slots[FLEXIBLE_ARRAY_MEMBER];
} Run;

static int64
now(void)
{
	instr_time	time;

	INSTR_TIME_SET_CURRENT(time);
	return (int64) INSTR_TIME_GET_MILLISEC(time);
}

/*
 * Advances the clock of a run by the time since the last call, up to a limit.
 */
static void
advance_clock(Run *run, int64 limit)
{
	int64		time = now();

	if (time - run->last > limit)
		run->stalls++;
	run->clock += Min(time - run->last, limit);
	run->last = time;
}

/*
 * Called when the memory of a run is released, at its end or after an error.
 * A connection that still waits for a response cannot be used again.
 */
static void
release_run(void *argument)
{
	Run		   *run = (Run *) argument;

	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_BUSY)
			smartcar_transfer_forbid_reuse(&slot->transfer);
		if (slot->state == SLOT_BUSY || slot->state == SLOT_ENDED)
			curl_multi_remove_handle(slot->multi, slot->transfer.easy);
		smartcar_transfer_release(&slot->transfer);
	}
}

static Run *
create_run(const SmartcarHttpSettings *settings, SmartcarRequestSource *source,
		   MemoryContext context)
{
	int			slot_count = settings->max_concurrency;
	const SmartcarPool *pool = smartcar_pool(&slot_count);
	Run		   *run = MemoryContextAllocZero(context,
											 offsetof(Run, slots) + slot_count * sizeof(Slot));

	run->settings = settings;
	run->source = source;
	run->pool = pool;
	run->context = context;
	run->last = now();
	run->slot_count = slot_count;
	run->callback.func = release_run;
	run->callback.arg = run;
	MemoryContextRegisterResetCallback(context, &run->callback);
	return run;
}

static void
check_multi(CURLMcode code, const char *function)
{
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(code == CURLM_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY :
						 ERRCODE_INTERNAL_ERROR),
				 errmsg("%s() failed: %s", function, curl_multi_strerror(code))));
}

static int64
time_left(const Run *run, const Slot *slot)
{
	return slot->began + run->settings->timeout - run->clock;
}

static Host *
find_host(Run *run, const char *url, CURLM *multi)
{
	const char *host_name = strstr(url, "://");
	size_t		length = host_name ? host_name - url + 3 + strcspn(host_name + 3, "/?#") : strlen(url);
	Host	   *host;

	for (host = run->hosts; host != NULL; host = host->next)
	{
		if (host->multi == multi && strlen(host->origin) == length &&
			memcmp(host->origin, url, length) == 0)
			return host;
	}
	host = MemoryContextAllocZero(run->context, sizeof(Host));
	host->origin = MemoryContextAlloc(run->context, length + 1);
	memcpy(host->origin, url, length);
	host->origin[length] = '\0';
	host->multi = multi;
	host->next = run->hosts;
	run->hosts = host;
	return host;
}

/*
 * Whether there is a try from before the last timeout.  It may still use the
 * connection that did not respond, and libcurl would let a new try share that.
 */
static bool
has_older_try(const Run *run)
{
	for (int i = 0; i < run->slot_count; i++)
	{
		const Slot *slot = &run->slots[i];

		if (slot->state == SLOT_BUSY && slot->multi == run->pool->shared &&
			slot->epoch < run->epoch)
			return true;
	}
	return false;
}

static bool
is_connecting(const Slot *slot)
{
	return slot->state == SLOT_BUSY && !smartcar_transfer_has_connection(&slot->transfer);
}

static void
count_connecting(Run *run)
{
	run->connecting = 0;
	for (int i = 0; i < run->slot_count; i++)
	{
		if (is_connecting(&run->slots[i]))
			run->connecting++;
	}
}

static bool
is_resolved(const Run *run, const Host *host)
{
	return host->resolved > 0 && run->last - host->resolved <
		(host->has_failed ? FAILED_DNS_LIFETIME : DNS_LIFETIME);
}

/*
 * Whether a try can start.  Otherwise it waits for others to connect, or for
 * another one to resolve the name of its host.
 */
static bool
can_start(const Run *run, const Slot *slot)
{
	return run->connecting < MAX_CONNECTING &&
		(is_resolved(run, slot->host) || slot->host->resolver == NULL);
}

/*
 * Starts a try, if it need not wait.
 */
static void
start_try(Run *run, Slot *slot)
{
	Host	   *host = slot->host;
	bool		is_known = is_resolved(run, host);

	/* waiting for others does not count for the connect timeout */
	if (run->connecting >= MAX_CONNECTING)
		slot->connected = run->clock;
	if (!can_start(run, slot))
		return;
	if (!is_known)
		host->resolver = slot;
	smartcar_transfer_set_connection(&slot->transfer, slot->request,
									 slot->is_fresh || has_older_try(run),
									 is_known ? SMARTCAR_DNS_KEEP :
									 host->has_failed ? SMARTCAR_DNS_RENEW :
									 SMARTCAR_DNS_CACHE);
	check_multi(curl_multi_add_handle(slot->multi, slot->transfer.easy), "curl_multi_add_handle");
	slot->state = SLOT_BUSY;
	run->connecting++;
	slot->host_version = host->version;
	slot->epoch = run->epoch;
}

static void
prepare_try(Run *run, Slot *slot)
{
	smartcar_transfer_prepare(&slot->transfer, run->settings, slot->request);
	slot->state = SLOT_WAITING;
	slot->has_expired = false;
	slot->stalls = run->stalls;
	slot->connected = run->clock;
	start_try(run, slot);
}

static void
start_request(Run *run, Slot *slot, SmartcarRequest *request)
{
	slot->request = request;
	slot->multi = request->kind == SMARTCAR_REQUEST_REPEATABLE ? run->pool->shared :
		run->pool->single;
	slot->host = find_host(run, request->url, slot->multi);
	slot->tries = 0;
	slot->is_fresh = false;
	slot->began = run->clock;
	prepare_try(run, slot);
}

/*
 * The next functions call the source.  Its time does not count for timeouts, so
 * the clock stops.
 */
static SmartcarRequest *
next_request(Run *run)
{
	SmartcarRequest *request;

	advance_clock(run, MAX_STEP);
	request = run->source->next(run->source);
	advance_clock(run, 0);
	return request;
}

static bool
finish_request(Run *run, Slot *slot, const SmartcarResponse *response)
{
	bool		again;

	advance_clock(run, MAX_STEP);
	again = run->source->done(run->source, slot->request, response);
	advance_clock(run, 0);
	return again;
}

static void
after_responses(Run *run)
{
	if (run->source->after_responses == NULL)
		return;
	advance_clock(run, MAX_STEP);
	run->source->after_responses(run->source);
	advance_clock(run, 0);
}

/*
 * Starts the tries that have waited or backed off, and then new requests in the
 * free slots.
 */
static void
start_pending(Run *run)
{
	count_connecting(run);
	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_WAITING)
			start_try(run, slot);
		else if (slot->state == SLOT_PAUSED && slot->resumes <= run->clock)
			prepare_try(run, slot);
	}
	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];
		SmartcarRequest *request;

		if (run->exhausted || run->connecting >= MAX_CONNECTING)
			break;
		if (slot->state != SLOT_FREE)
			continue;
		request = next_request(run);
		if (request == NULL)
			run->exhausted = true;
		else
		{
			start_request(run, slot, request);
			run->in_use++;
		}
	}
}

/*
 * How long to wait for the network, in milliseconds.
 */
static int
idle_time(Run *run)
{
	int64		wait = SLICE;

	count_connecting(run);
	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if ((slot->state == SLOT_FREE && !run->exhausted &&
			 run->connecting < MAX_CONNECTING) ||
			(slot->state == SLOT_WAITING && can_start(run, slot)))
			return 0;
		if (slot->state == SLOT_PAUSED)
			wait = Min(wait, slot->resumes - run->clock);
		else if (slot->state != SLOT_FREE)
			wait = Min(wait, time_left(run, slot) + 1);
	}
	return (int) Max(wait, 0);
}

/*
 * libcurl does not tell which connection a try had that timed out.  So no
 * connection that is in use now is used for a new try; libcurl closes it after
 * its last try.
 */
static void
retire_connections(Run *run)
{
	run->epoch++;
	for (int i = 0; i < run->slot_count; i++)
	{
		if (run->slots[i].state == SLOT_BUSY)
			smartcar_transfer_forbid_reuse(&run->slots[i].transfer);
	}
}

/*
 * Records that a try has resolved the name of its host.
 */
static void
record_host(Run *run, Slot *slot)
{
	Host	   *host = slot->host;

	if (host->resolver != slot || !smartcar_transfer_is_resolved(&slot->transfer))
		return;
	host->resolver = NULL;
	host->resolved = run->last;
	host->has_failed = false;
	slot->host_version = ++host->version;
}

static void
record_hosts(Run *run)
{
	for (int i = 0; i < run->slot_count; i++)
	{
		if (run->slots[i].state == SLOT_BUSY)
			record_host(run, &run->slots[i]);
	}
}

/* A try may have failed because the addresses of its host are wrong. */
static void
record_failure(Slot *slot, const SmartcarResponse *response)
{
	Host	   *host = slot->host;

	if (slot->host_version == host->version &&
		(response->outcome == SMARTCAR_OUTCOME_NO_CONNECTION ||
		 response->outcome == SMARTCAR_OUTCOME_TIMED_OUT))
		host->has_failed = true;
}

/*
 * Ends a try.  The request backs off before its next try, or is done.
 */
static void
end_try(Run *run, Slot *slot)
{
	SmartcarResponse response;
	int			delay;

	if (slot->has_expired)
		smartcar_transfer_forbid_reuse(&slot->transfer);
	else if (slot->result == CURLE_OK && slot->multi == run->pool->shared)
		smartcar_transfer_record_idle(&slot->transfer);
	curl_multi_remove_handle(slot->multi, slot->transfer.easy);
	slot->state = SLOT_PAUSED;	/* libcurl no longer runs it */
	record_host(run, slot);
	if (slot->host->resolver == slot)
		slot->host->resolver = NULL;

	/*
	 * Try again at once if nothing was sent: a kept connection had unexpected
	 * input, or libcurl's connect timeout expired while our clock stopped.
	 */
	if (slot->transfer.unexpected_input ||
		(slot->result == CURLE_OPERATION_TIMEDOUT && !slot->has_expired &&
		 slot->stalls != run->stalls &&
		 !smartcar_transfer_has_connection(&slot->transfer)))
	{
		slot->is_fresh = true;
		slot->resumes = run->clock;
		return;
	}

	smartcar_transfer_result(&slot->transfer, slot->result, &response);
	slot->tries += smartcar_transfer_send_count(&slot->transfer);
	response.tries = slot->tries;
	response.elapsed = (int) (run->clock - slot->began);
	record_failure(slot, &response);

	delay = smartcar_retry_delay(slot->request, &response);
	if (delay != SMARTCAR_NO_RETRY && delay < time_left(run, slot))
	{
		slot->is_fresh = true;
		slot->resumes = run->clock + delay;
		return;
	}

	/* with this response, the source may have another request */
	run->exhausted = false;
	if (finish_request(run, slot, &response))
		start_request(run, slot, slot->request);
	else
	{
		slot->state = SLOT_FREE;
		run->in_use--;
	}
}

static Slot *
find_slot(CURL *easy)
{
	SmartcarTransfer *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	return (Slot *) ((char *) transfer - offsetof(Slot, transfer));
}

/*
 * Records which tries have a connection.  libcurl may lose it in perform(), so
 * this is called just before.
 */
static void
record_connections(Run *run)
{
	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_BUSY && !is_connecting(slot))
			slot->connected = run->clock;
	}
}

/*
 * Lets libcurl do what it can without waiting.  It may start a thread to resolve
 * a name.  Signals are blocked because the thread inherits the mask, and must not
 * receive the signals of the backend.
 */
static void
perform(Run *run)
{
	sigset_t	all;
	sigset_t	before;
	int			running;
	CURLMcode	code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = curl_multi_perform(run->pool->shared, &running);
	if (code == CURLM_OK)
		code = curl_multi_perform(run->pool->single, &running);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	check_multi(code, "curl_multi_perform");
	advance_clock(run, MAX_STEP);
}

/*
 * Ends the tries that have reached a timeout.
 *
 * The connect timeout counts from when a try last had a connection.  While one
 * of many requests opens a connection, the others wait to share it, and if that
 * fails, the next one opens one.  And if a kept connection breaks, libcurl opens
 * another within the same try, for which the timeout starts again.
 */
static void
expire_transfers(Run *run)
{
	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];
		bool		has_connection;

		if (slot->state != SLOT_BUSY && slot->state != SLOT_WAITING)
			continue;
		has_connection = slot->state == SLOT_BUSY && !is_connecting(slot);
		if (time_left(run, slot) >= 0 &&
			(has_connection ||
			 run->clock - slot->connected <= run->settings->connect_timeout))
			continue;

		if (slot->state == SLOT_WAITING && !is_resolved(run, slot->host))
			slot->transfer.phase = SMARTCAR_PHASE_RESOLVE;
		slot->result = CURLE_OPERATION_TIMEDOUT;
		slot->has_expired = true;
		slot->state = SLOT_ENDED;
		if (has_connection)
			retire_connections(run);
	}
}

/*
 * Reads from libcurl which tries have ended.  It reports each of them once, and
 * for all runs with this pool: another run may have called this one (its source
 * may run SQL), or an error may have ended it without releasing its memory yet.
 */
static void
read_results(CURLM *multi)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		Slot	   *slot;

		if (message->msg != CURLMSG_DONE)
			continue;
		slot = find_slot(message->easy_handle);
		slot->result = message->data.result;
		slot->state = SLOT_ENDED;
	}
}

/*
 * Processes the tries that have ended.  Returns whether there was one.
 */
static bool
end_tries(Run *run)
{
	bool		found = false;

	read_results(run->pool->shared);
	read_results(run->pool->single);
	expire_transfers(run);

	for (int i = 0; i < run->slot_count; i++)
	{
		if (run->slots[i].state != SLOT_ENDED)
			continue;
		end_try(run, &run->slots[i]);
		found = true;
	}
	return found;
}

/*
 * Returns the sockets of a multi handle, for another one to wait for them, too, and
 * lowers *timeout to when the handle must run again.
 * Sockets that select() does not support are checked after each slice.
 */
static unsigned int
get_sockets(CURLM *multi, struct curl_waitfd *sockets, int *timeout)
{
	fd_set		readable;
	fd_set		writable;
	fd_set		exceptional;
	long		own_timeout = -1;
	int			last = -1;
	unsigned int count = 0;

	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_ZERO(&exceptional);
	check_multi(curl_multi_fdset(multi, &readable, &writable, &exceptional, &last),
				"curl_multi_fdset");
	for (int fd = 0; fd <= last; fd++)
	{
		short		events = (FD_ISSET(fd, &readable) ? CURL_WAIT_POLLIN : 0) |
			(FD_ISSET(fd, &writable) ? CURL_WAIT_POLLOUT : 0);

		if (events != 0)
			sockets[count++] = (struct curl_waitfd)
		{
			.fd = fd, .events = events
		};
	}
	check_multi(curl_multi_timeout(multi, &own_timeout), "curl_multi_timeout");
	if (own_timeout >= 0)
		*timeout = (int) Min(*timeout, own_timeout);
	return count;
}

static void
wait_for_network(Run *run, int timeout)
{
	struct curl_waitfd sockets[FD_SETSIZE];
	unsigned int count = get_sockets(run->pool->single, sockets, &timeout);
	CURLMcode	code;

	pgstat_report_wait_start(run->settings->wait_event);
	code = curl_multi_poll(run->pool->shared, sockets, count, timeout, NULL);
	pgstat_report_wait_end();
	check_multi(code, "curl_multi_poll");
	advance_clock(run, MAX_STEP);
}

/*
 * If the postmaster has died, its backends must exit, or a new one cannot start.
 * PostgreSQL's wait functions do this, but this loop does not use them.
 */
static void
exit_if_orphaned(void)
{
	if (IsUnderPostmaster && !PostmasterIsAlive())
		proc_exit(1);
}

/*
 * Sends all requests of a source.
 */
void
smartcar_http_run(const SmartcarHttpSettings *settings, SmartcarRequestSource *source)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "smartcar_tesla requests",
												  ALLOCSET_SMALL_SIZES);
	Run		   *run = create_run(settings, source, context);
	bool		is_after_response = false;

	for (;;)
	{
		bool		any_ended;

		start_pending(run);
		if (run->in_use == 0)
			break;

		/* send nothing if the statement ends before the response */
		if (InterruptPending)
		{
			after_responses(run);
			CHECK_FOR_INTERRUPTS();
		}
		record_connections(run);
		perform(run);
		record_hosts(run);
		any_ended = end_tries(run);

		/* after_responses() may take long, so send the next requests first */
		if (any_ended && !is_after_response)
		{
			is_after_response = true;
			continue;
		}
		is_after_response = false;

		/* interrupts come after it, because it may store the responses */
		after_responses(run);
		CHECK_FOR_INTERRUPTS();
		exit_if_orphaned();
		if (!any_ended)
			wait_for_network(run, idle_time(run));
	}
	after_responses(run);
	MemoryContextDelete(context);
}
