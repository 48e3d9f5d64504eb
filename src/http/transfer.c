/*-------------------------------------------------------------------------
 *
 * transfer.c
 *	  One try of one request, as libcurl knows it.
 *
 * src/http/transfer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/transfer.h"

#include "core/address.h"

/* libcurl itself stops at 300 kB; an answer of an API has less than one. */
#define MAX_HEADER_SIZE		(64 * 1024)

/* A connection that was once verified is not trusted for ever, in seconds. */
#define MAX_CONNECTION_LIFETIME	300L
#define MAX_CONNECTION_IDLE		55L

/*
 * Sets an option of libcurl.  It refuses one only when it is out of memory or
 * was built without what we need, and then the request must not be made.
 */
#define set_option(easy, option, value) \
	check_option(curl_easy_setopt((easy), (option), (value)), #option)

static void
check_option(CURLcode code, const char *option)
{
	if (code == CURLE_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	/* it takes no text of 8 MB or more */
	if (code == CURLE_BAD_FUNCTION_ARGUMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the address of the request is too long")));
	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl does not support the option %s: %s",
						option, curl_easy_strerror(code))));
}

/*
 * The same for an option that has no meaning where libcurl was built without
 * what it is about.
 */
#define set_option_if_built_in(easy, option, value) \
	check_option(built_in(curl_easy_setopt((easy), (option), (value))), #option)

static CURLcode
built_in(CURLcode code)
{
	return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
}

/*
 * Tells libcurl to end a transfer.  What is still to come of the answer would be
 * in the way of the next one, so the connection is not kept.
 */
static size_t
refuse(SmartcarTransfer *transfer)
{
	curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
	return 0;
}

/*
 * The next four are called by libcurl when a try enters a phase.  The times that
 * it keeps do not tell: which of them are set, when, and after what errors differs
 * between its versions.
 */
static int
begin_to_resolve(void *resolver, void *reserved, void *transfer)
{
	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_RESOLVE;
	return 0;
}

static int
begin_to_connect(void *transfer, curl_socket_t socket, curlsocktype purpose)
{
	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_CONNECT;
	return CURL_SOCKOPT_OK;
}

static CURLcode
begin_tls(CURL *easy, void *tls_context, void *transfer)
{
	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_TLS;
	return CURLE_OK;
}

#if LIBCURL_VERSION_NUM >= 0x075000
static int
begin_to_send(void *transfer, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_WAIT;
	return CURL_PREREQFUNC_OK;
}
#endif

/*
 * libcurl calls this for each piece of the body, after decompression.
 */
static size_t
take_body(char *data, size_t size, size_t count, void *transfer)
{
	size_t		length = size * count;

	if (!smartcar_buffer_append(&((SmartcarTransfer *) transfer)->body, data, length))
		return refuse(transfer);
	return length;
}

/*
 * libcurl calls this for each line of the header.  A status line begins a new
 * one, as after an interim answer.
 */
static size_t
take_header(char *data, size_t size, size_t count, void *transfer)
{
	SmartcarBuffer *lines = &((SmartcarTransfer *) transfer)->header_lines;
	size_t		length = size * count;

	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_RECEIVE;
	if (length >= 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		smartcar_buffer_clear(lines, MAX_HEADER_SIZE);
		return length;
	}
	if (!smartcar_buffer_append(lines, data, length))
		return refuse(transfer);
	return length;
}

/*
 * Frees a list of headers, in which there are tokens.
 */
static void
free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *header = headers; header != NULL; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(headers);
}

static void
add_header(SmartcarTransfer *transfer, const char *header)
{
	struct curl_slist *headers;

	/* what is checked long before must still never become two headers */
	if (strpbrk(header, "\r\n") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a header must not contain a line break")));

	headers = curl_slist_append(transfer->headers, header);
	if (headers == NULL)
		check_option(CURLE_OUT_OF_MEMORY, "HTTPHEADER");
	transfer->headers = headers;
}

/*
 * Only https, but for a server on this machine.  Origins were checked when they
 * were set; this is the last gate before the network.  Redirects are never
 * followed, because the next host would get the body, with the secret that is
 * in it.
 */
static void
set_reach(CURL *easy, const SmartcarRequest *request)
{
	const char *host = strstr(request->url, "://");
	size_t		origin_length = host ? (host - request->url) + 3 + strcspn(host + 3, "/?#") : 0;
	bool		is_https = strncmp(request->url, "https://", 8) == 0;

	if (!smartcar_origin_valid(smartcar_span(request->url, origin_length)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("requests are made over https only")));

#if LIBCURL_VERSION_NUM >= 0x075500
	set_option(easy, CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http");
#else
	set_option(easy, CURLOPT_PROTOCOLS, (long) (is_https ? CURLPROTO_HTTPS : CURLPROTO_HTTP));
#endif
	set_option(easy, CURLOPT_FOLLOWLOCATION, 0L);

	/* what the environment of the server says about proxies is not for us */
	set_option(easy, CURLOPT_PROXY, "");

	/* a path is sent as it was checked */
	set_option(easy, CURLOPT_PATH_AS_IS, 1L);
}

static void
set_tls(CURL *easy, const SmartcarHttpSettings *settings, const SmartcarRequest *request)
{
	long		versions = CURL_SSLVERSION_TLSv1_2;

	/*
	 * No other request may join the connection of one that is sent once: when
	 * a connection breaks that had a second user, libcurl sends everything on
	 * it again.  A connection is joined only where the settings of TLS are
	 * the same, so these are told apart by naming the newest version, which
	 * all the others may use, too.  To ask for HTTP/1.1 would not do: libcurl
	 * 7.88 lets requests that may use HTTP/2 join such a connection in use
	 * (ConnectionExists() in its url.c).
	 */
	if (!request->idempotent)
		versions |= CURL_SSLVERSION_MAX_TLSv1_3;

	set_option(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	set_option(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	set_option(easy, CURLOPT_SSLVERSION, versions);
	if (settings->ca_file != NULL)
		set_option(easy, CURLOPT_CAINFO, settings->ca_file);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* the pool would remember the authorities for a day, with OpenSSL */
	set_option_if_built_in(easy, CURLOPT_CA_CACHE_TIMEOUT, MAX_CONNECTION_LIFETIME);
#endif
}

static void
set_connection(CURL *easy, const SmartcarRequest *request, bool again)
{
	/* signals, SIGALRM among them, are the server's */
	set_option(easy, CURLOPT_NOSIGNAL, 1L);

#if LIBCURL_VERSION_NUM >= 0x075700
	/* to give up must not mean to wait for the resolver's thread */
	set_option(easy, CURLOPT_QUICK_EXIT, 1L);
#endif

	/* without HTTP/2 there is still HTTP/1.1 */
	set_option_if_built_in(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	set_option(easy, CURLOPT_PIPEWAIT, 1L);
	set_option(easy, CURLOPT_MAXAGE_CONN, MAX_CONNECTION_IDLE);
#if LIBCURL_VERSION_NUM >= 0x075000
	set_option(easy, CURLOPT_MAXLIFETIME_CONN, MAX_CONNECTION_LIFETIME);
#endif

	/*
	 * When a kept connection turns out to be closed, libcurl sends a request
	 * again over a new one.  It cannot know whether the server has already
	 * done what it was asked, and of a code that is good once it has.  Nor
	 * can anything else use the connection later, so it is not kept.
	 *
	 * And when a try has failed, the connection may be the reason, even if it
	 * is still there, as in HTTP/2 it may be.
	 */
	if (!request->idempotent || again)
		set_option(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (!request->idempotent)
		set_option(easy, CURLOPT_FORBID_REUSE, 1L);
}

static void
set_phases(SmartcarTransfer *transfer)
{
	CURL	   *easy = transfer->easy;

	/* one that does not begin to resolve waits for the connection of another */
	transfer->phase = SMARTCAR_PHASE_CONNECT;
	set_option(easy, CURLOPT_RESOLVER_START_FUNCTION, begin_to_resolve);
	set_option(easy, CURLOPT_RESOLVER_START_DATA, transfer);
	set_option(easy, CURLOPT_SOCKOPTFUNCTION, begin_to_connect);
	set_option(easy, CURLOPT_SOCKOPTDATA, transfer);
#if LIBCURL_VERSION_NUM >= 0x075000
	set_option(easy, CURLOPT_PREREQFUNCTION, begin_to_send);
	set_option(easy, CURLOPT_PREREQDATA, transfer);
#endif

	/* with a library for TLS other than OpenSSL, TLS is part of connecting */
	if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, begin_tls) == CURLE_OK)
		set_option(easy, CURLOPT_SSL_CTX_DATA, transfer);
}

/*
 * The body is not copied by libcurl; the request outlives the transfer.  A
 * method that usually has one is sent with a length of 0 where there is none,
 * because some servers insist on a length.
 */
static void
set_content(CURL *easy, const SmartcarRequest *request)
{
	const char *method = request->method;
	bool		usually_has_body = strcmp(method, "POST") == 0 ||
		strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;

	if (request->body.data != NULL || usually_has_body)
	{
		set_option(easy, CURLOPT_POST, 1L);
		set_option(easy, CURLOPT_POSTFIELDS, request->body.data ? request->body.data : "");
		set_option(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body.length);
	}
	else if (strcmp(method, "HEAD") == 0)
		set_option(easy, CURLOPT_NOBODY, 1L);
	if (strcmp(method, "GET") != 0 || request->body.data != NULL)
		set_option(easy, CURLOPT_CUSTOMREQUEST, method);
}

/*
 * Gets a transfer ready for a try that may take timeout milliseconds.  again: it
 * is not the first one.
 */
void
smartcar_transfer_prepare(SmartcarTransfer *transfer, const SmartcarHttpSettings *settings,
						  const SmartcarRequest *request, int timeout, bool again)
{
	CURL	   *easy = transfer->easy;

	if (easy == NULL)
		easy = transfer->easy = curl_easy_init();
	if (easy == NULL)
		check_option(CURLE_OUT_OF_MEMORY, "");
	curl_easy_reset(easy);
	smartcar_buffer_clear(&transfer->header_lines, MAX_HEADER_SIZE);
	smartcar_buffer_clear(&transfer->body, settings->max_response_size);
	transfer->reason[0] = '\0';

	free_headers(transfer->headers);
	transfer->headers = NULL;
	for (int i = 0; i < request->header_count; i++)
		add_header(transfer, request->headers[i]);
	/* a body is sent at once, without asking for leave first */
	add_header(transfer, "Expect:");
	/* and what is no body has no type */
	if (request->body.data == NULL)
		add_header(transfer, "Content-Type:");

	set_option(easy, CURLOPT_PRIVATE, transfer);
	set_option(easy, CURLOPT_ERRORBUFFER, transfer->reason);
	set_option(easy, CURLOPT_URL, request->url);
	set_option(easy, CURLOPT_USERAGENT, "smartcar_tesla/" SMARTCAR_TESLA_VERSION);
	set_option(easy, CURLOPT_HTTPHEADER, transfer->headers);
	set_option(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	set_option(easy, CURLOPT_HEADERFUNCTION, take_header);
	set_option(easy, CURLOPT_HEADERDATA, transfer);
	set_option(easy, CURLOPT_WRITEFUNCTION, take_body);
	set_option(easy, CURLOPT_WRITEDATA, transfer);
	set_option(easy, CURLOPT_TIMEOUT_MS, (long) timeout);
	set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) Min(settings->connect_timeout, timeout));
	set_reach(easy, request);
	set_tls(easy, settings, request);
	set_connection(easy, request, again);
	set_phases(transfer);
	set_content(easy, request);
}

static SmartcarOutcome
outcome_of(const SmartcarTransfer *transfer, CURLcode code)
{
	if (transfer->header_lines.too_large)
		return SMARTCAR_UNUSABLE;
	if (transfer->body.too_large)
		return SMARTCAR_TOO_LARGE;
	if (transfer->body.out_of_memory || transfer->header_lines.out_of_memory)
		return SMARTCAR_OUT_OF_MEMORY;

	switch (code)
	{
		case CURLE_OK:
			return SMARTCAR_ANSWERED;
		case CURLE_OUT_OF_MEMORY:
			return SMARTCAR_OUT_OF_MEMORY;
		case CURLE_OPERATION_TIMEDOUT:
			return SMARTCAR_TIMED_OUT;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_ISSUER_ERROR:
			return SMARTCAR_TLS_FAILED;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_BAD_CONTENT_ENCODING:
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:	/* its headers are too many */
#endif
			return SMARTCAR_UNUSABLE;
		default:
			/* CURLE_SSL_CONNECT_ERROR, too: nobody was found untrustworthy */
			return SMARTCAR_NO_CONNECTION;
	}
}

static SmartcarPhase
phase_reached(const SmartcarTransfer *transfer)
{
#if LIBCURL_VERSION_NUM < 0x075000
	/* it does not tell when it begins to send, but the time of it is right */
	curl_off_t	microseconds = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
	if (microseconds > 0 && transfer->phase < SMARTCAR_PHASE_WAIT)
		return SMARTCAR_PHASE_WAIT;
#endif
	return transfer->phase;
}

static SmartcarPhase
phase_of(const SmartcarTransfer *transfer, SmartcarOutcome outcome)
{
	/* certificates that cannot be read, for example, before TLS has begun */
	if (outcome == SMARTCAR_TLS_FAILED)
		return SMARTCAR_PHASE_TLS;
	return phase_reached(transfer);
}

/*
 * Whether a try that is under way has a connection to send its request over.
 */
bool
smartcar_transfer_has_connection(const SmartcarTransfer *transfer)
{
	return phase_reached(transfer) >= SMARTCAR_PHASE_WAIT;
}

/*
 * Libcurl's words become part of a sentence.  They may quote a certificate,
 * whose text is in any encoding.
 */
static void
trim_reason(char *reason)
{
	size_t		length = strlen(reason);

	while (length > 0 && strchr(" .\r\n", reason[length - 1]) != NULL)
		reason[--length] = '\0';
	for (char *c = reason; *c != '\0'; c++)
	{
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

/*
 * What came of a try; elapsed and tries are the caller's to fill in.
 */
void
smartcar_transfer_result(SmartcarTransfer *transfer, CURLcode code, SmartcarResponse *response)
{
	long		status = 0;

	response->outcome = outcome_of(transfer, code);
	response->phase = phase_of(transfer, response->outcome);
	response->headers = smartcar_buffer_span(&transfer->header_lines);
	response->body = smartcar_buffer_span(&transfer->body);
	if (transfer->header_lines.too_large)
		strlcpy(transfer->reason, "Its header is too large", sizeof(transfer->reason));
	else if (transfer->reason[0] == '\0' && code != CURLE_OK)
		strlcpy(transfer->reason, curl_easy_strerror(code), sizeof(transfer->reason));
	trim_reason(transfer->reason);
	response->reason = transfer->reason;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	response->status = response->outcome == SMARTCAR_ANSWERED ? (int) status : 0;
}

void
smartcar_transfer_release(SmartcarTransfer *transfer)
{
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	free_headers(transfer->headers);
	transfer->headers = NULL;
	smartcar_buffer_free(&transfer->header_lines);
	smartcar_buffer_free(&transfer->body);
}
