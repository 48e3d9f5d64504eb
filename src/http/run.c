/*-------------------------------------------------------------------------
 *
 * run.c
 *	  The loop that makes requests and waits for their answers.
 *
 * The server must be able to reach a backend while it waits: a cancel, the end
 * of the session, and the barrier with which DROP DATABASE asks every backend
 * to close its files.  So libcurl never blocks; the backend sleeps for a short
 * while at a time, a signal wakes it, and it looks for interrupts in between.
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
 * How long the backend sleeps at most, in milliseconds.  A signal that comes
 * between the look for interrupts and the sleep is served only after it.
 */
#define SLICE	100

typedef enum SlotState
{
	SLOT_FREE,
	SLOT_BUSY,					/* libcurl has it */
	SLOT_ENDED,					/* the same, and it has come to an end */
	SLOT_PAUSED					/* it waits for its next try */
} SlotState;

/* A request on its way, with all its tries. */
typedef struct Slot
{
	SlotState	state;
	SmartcarRequest *request;
	SmartcarTransfer transfer;
	CURLcode	end;			/* of the try, once it is SLOT_ENDED */
	int			tries;
	int64		began;			/* all times are in milliseconds */
	int64		connected;		/* when its try last had a connection, or
								 * began */
	int64		resumes;
} Slot;

typedef struct Run
{
	const SmartcarHttpSettings *settings;
	SmartcarRequestSource *source;
	CURLM	   *pool;
	int			slot_count;
	int			in_use;			/* slots that are not free */
	bool		exhausted;		/* the source has no more, for now */
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
 * Called when the memory of a run goes away, at its end or because of an
 * error.
 */
static void
release_run(void *argument)
{
	Run		   *run = (Run *) argument;

	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_BUSY || slot->state == SLOT_ENDED)
			curl_multi_remove_handle(run->pool, slot->transfer.easy);
		smartcar_transfer_release(&slot->transfer);
	}
}

static Run *
create_run(const SmartcarHttpSettings *settings, SmartcarRequestSource *source,
		   MemoryContext context)
{
	int			slot_count = settings->max_concurrency;
	CURLM	   *pool = smartcar_pool(&slot_count);
	Run		   *run = MemoryContextAllocZero(context,
											 offsetof(Run, slots) + slot_count * sizeof(Slot));

	run->settings = settings;
	run->source = source;
	run->pool = pool;
	run->slot_count = slot_count;
	run->callback.func = release_run;
	run->callback.arg = run;
	MemoryContextRegisterResetCallback(context, &run->callback);
	return run;
}

static void
check_pool(CURLMcode code)
{
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(code == CURLM_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY :
						 ERRCODE_INTERNAL_ERROR),
				 errmsg("libcurl could not go on: %s", curl_multi_strerror(code))));
}

static int
time_left(const Run *run, const Slot *slot)
{
	int64		left = slot->began + run->settings->timeout - now();

	return (int) Max(left, 1);
}

static void
start_try(Run *run, Slot *slot)
{
	smartcar_transfer_prepare(&slot->transfer, run->settings, slot->request,
							  time_left(run, slot), slot->tries > 0);
	check_pool(curl_multi_add_handle(run->pool, slot->transfer.easy));
	slot->state = SLOT_BUSY;
	slot->connected = now();
	slot->tries++;
}

static void
start_request(Run *run, Slot *slot, SmartcarRequest *request)
{
	slot->request = request;
	slot->tries = 0;
	slot->began = now();
	start_try(run, slot);
}

/*
 * Gives work to the slots that have none, and another try to those whose pause
 * is over.  Returns how long the others have to wait, at most a slice.
 */
static int
start_what_is_due(Run *run)
{
	int64		wait = SLICE;

	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_FREE && !run->exhausted)
		{
			SmartcarRequest *request = run->source->next(run->source);

			if (request == NULL)
				run->exhausted = true;
			else
			{
				start_request(run, slot, request);
				run->in_use++;
			}
		}
		else if (slot->state == SLOT_PAUSED)
		{
			int64		left = slot->resumes - now();

			if (left <= 0)
				start_try(run, slot);
			else
				wait = Min(wait, left);
		}
	}
	return (int) wait;
}

/*
 * A try has ended: the request is paused before its next one, or done.
 */
static void
end_try(Run *run, Slot *slot)
{
	SmartcarResponse response;
	int			delay;

	curl_multi_remove_handle(run->pool, slot->transfer.easy);
	slot->state = SLOT_PAUSED;	/* libcurl has it no longer */

	smartcar_transfer_result(&slot->transfer, slot->end, &response);
	response.tries = slot->tries;
	response.elapsed = (int) (now() - slot->began);

	delay = smartcar_retry_delay(slot->request, &response);
	if (delay != SMARTCAR_NO_RETRY && delay < time_left(run, slot))
	{
		slot->resumes = now() + delay;
		return;
	}

	/* what has just come may be what the source was waiting for */
	run->exhausted = false;
	if (run->source->done(run->source, slot->request, &response))
		start_request(run, slot, slot->request);
	else
	{
		slot->state = SLOT_FREE;
		run->in_use--;
	}
}

static Slot *
slot_of(CURL *easy)
{
	SmartcarTransfer *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	return (Slot *) ((char *) transfer - offsetof(Slot, transfer));
}

/*
 * Notes when tries have a connection.  It is lost only while libcurl works, so
 * this is done just before.
 */
static void
note_connections(Run *run)
{
	int64		time = now();

	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_BUSY && smartcar_transfer_has_connection(&slot->transfer))
			slot->connected = time;
	}
}

/*
 * Lets libcurl do what it can without waiting.  It may start a thread that
 * resolves a name, and a thread takes over the signal mask; a signal for the
 * backend must not go to that thread.
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
	code = curl_multi_perform(run->pool, &running);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	check_pool(code);
}

/*
 * Gives up the tries that have no connection in time.
 *
 * libcurl sees to that where it makes one.  But of many requests one makes a
 * connection, and the others wait whether it can be theirs, too; when it fails,
 * the next one of them tries, with a time of its own.  And when a kept connection
 * breaks, it makes another within the same try, which has its time, too.
 */
static void
end_what_is_overdue(Run *run)
{
	int64		time = now();

	for (int i = 0; i < run->slot_count; i++)
	{
		Slot	   *slot = &run->slots[i];

		if (slot->state == SLOT_BUSY &&
			(time - slot->connected > run->settings->connect_timeout ||
			 time - slot->began > run->settings->timeout) &&
			!smartcar_transfer_has_connection(&slot->transfer))
		{
			slot->end = CURLE_OPERATION_TIMEDOUT;
			slot->state = SLOT_ENDED;
		}
	}
}

/*
 * Takes the tries that have ended.  Returns whether there was one.
 *
 * libcurl tells an end once.  What is told may be about another run with the
 * same pool: one whose source has called us, by way of a trigger for instance,
 * or one that an error has left and whose memory is still there.
 */
static bool
collect(Run *run)
{
	bool		found = false;
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(run->pool, &left)) != NULL)
	{
		Slot	   *slot;

		if (message->msg != CURLMSG_DONE)
			continue;
		slot = slot_of(message->easy_handle);
		slot->end = message->data.result;
		slot->state = SLOT_ENDED;
	}
	end_what_is_overdue(run);

	for (int i = 0; i < run->slot_count; i++)
	{
		if (run->slots[i].state != SLOT_ENDED)
			continue;
		end_try(run, &run->slots[i]);
		found = true;
	}
	return found;
}

static void
wait_for_network(Run *run, int timeout)
{
	CURLMcode	code;

	pgstat_report_wait_start(run->settings->wait_event);
	code = curl_multi_poll(run->pool, NULL, 0, timeout, NULL);
	pgstat_report_wait_end();
	check_pool(code);
}

/*
 * Without a postmaster there must be no backends, or a new one cannot start.
 * The server's own waits see to that by themselves.
 */
static void
exit_if_orphaned(void)
{
	if (IsUnderPostmaster && !PostmasterIsAlive())
		proc_exit(1);
}

/*
 * Makes all requests of a source.
 */
void
smartcar_http_run(const SmartcarHttpSettings *settings, SmartcarRequestSource *source)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "smartcar_tesla requests",
												  ALLOCSET_SMALL_SIZES);
	Run		   *run = create_run(settings, source, context);

	for (;;)
	{
		int			wait;

		if (source->idle != NULL)
			source->idle(source);
		wait = start_what_is_due(run);
		if (run->in_use == 0)
			break;

		/*
		 * here and not below: what has come is for the caller, who may need
		 * it
		 */
		CHECK_FOR_INTERRUPTS();
		exit_if_orphaned();
		note_connections(run);
		perform(run);
		if (!collect(run))
			wait_for_network(run, wait);
	}
	MemoryContextDelete(context);
}
