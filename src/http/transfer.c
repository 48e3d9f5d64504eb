/*-------------------------------------------------------------------------
 *
 * transfer.c
 *	  One try of a request: a transfer of libcurl.
 *
 * src/http/transfer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>

#include "http/transfer.h"

#include "core/address.h"
#include "http/pool.h"

/* The limit for the header of a response; those of APIs have less than 1 kB. */
#define MAX_HEADER_SIZE		(64 * 1024)

/*
 * The limit for all headers, including those of interim responses.  At 300 kB,
 * libcurl would report a lost connection.
 */
#define MAX_HEADERS_SIZE	(256 * 1024)

/* How long connections are reused, in seconds.  Each is verified only once. */
#define MAX_CONNECTION_LIFETIME	300L
#define MAX_CONNECTION_IDLE		55L

/*
 * Sets an option of libcurl.  That fails only if libcurl is out of memory or was
 * built without a feature that we need; the request must not be sent then.
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
	/* libcurl accepts no text of 8 MB or more */
	if (code == CURLE_BAD_FUNCTION_ARGUMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("URL of the request is too long")));
	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl does not support the option %s: %s",
						option, curl_easy_strerror(code))));
}

/* For an option of a feature that libcurl can be built without. */
#define set_option_if_built_in(easy, option, value) \
	check_option(ignore_missing_feature(curl_easy_setopt((easy), (option), (value))), #option)

static CURLcode
ignore_missing_feature(CURLcode code)
{
	return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
}

/*
 * Makes libcurl close the connection of a transfer after its last request.
 */
void
smartcar_transfer_forbid_reuse(SmartcarTransfer *transfer)
{
	curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
}

/*
 * The return value with which a callback aborts its transfer.  The connection
 * still has the rest of the response, so it is not kept.
 */
static size_t
abort_transfer(SmartcarTransfer *transfer)
{
	smartcar_transfer_forbid_reuse(transfer);
	return 0;
}

/*
 * libcurl calls the next four functions when a try enters a phase.  They are
 * used because libcurl's versions differ in which times they report, when, and
 * after which errors.
 */
static int
begin_to_resolve(void *resolver, void *reserved, void *transfer)
{
	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_RESOLVE;
	return 0;
}

static int
begin_to_connect(void *argument, curl_socket_t socket, curlsocktype purpose)
{
	SmartcarTransfer *transfer = (SmartcarTransfer *) argument;

	/* a process of COPY TO PROGRAM must not inherit it */
	if (fcntl(socket, F_SETFD, FD_CLOEXEC) < 0)
		return CURL_SOCKOPT_ERROR;
	transfer->phase = SMARTCAR_PHASE_CONNECT;
	transfer->opened_connection = true;
	return CURL_SOCKOPT_OK;
}

static CURLcode
begin_tls(CURL *easy, void *tls_context, void *transfer)
{
	((SmartcarTransfer *) transfer)->phase = SMARTCAR_PHASE_TLS;
	return CURLE_OK;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/*
 * libcurl sends a request again, at once and up to five times, if the server
 * refuses its stream.  That is prevented here: src/http/retry.c backs off before
 * it retries.  libcurl also sends it again if a kept connection turns out to be
 * closed, which is allowed once.
 */
static int
begin_to_send(void *argument, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	SmartcarTransfer *transfer = (SmartcarTransfer *) argument;

	if (!transfer->opened_connection && smartcar_pool_has_input(local_port))
	{
		transfer->unexpected_input = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (transfer->send_count == 0)
		transfer->reused_connection = !transfer->opened_connection;
	else if (transfer->send_count > 1 || !transfer->reused_connection)
	{
		transfer->stream_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	transfer->send_count++;
	transfer->expects_status = true;
	transfer->phase = SMARTCAR_PHASE_WAIT;
	return CURL_PREREQFUNC_OK;
}
#endif

/*
 * libcurl calls this for each part of the body, after decompression.
 */
static size_t
receive_body(char *data, size_t size, size_t count, void *transfer)
{
	size_t		length = size * count;

	if (!smartcar_buffer_append(&((SmartcarTransfer *) transfer)->body, data, length))
		return abort_transfer(transfer);
	return length;
}

/* Whether a status line is that of an interim response. */
static bool
is_interim(const char *line, size_t length)
{
	const char *space = memchr(line, ' ', length);

	return space != NULL && space + 1 < line + length && space[1] == '1';
}

/*
 * libcurl calls this for each line of a header, and of the trailer after the
 * body.  "HTTP/" begins a status line only where a header can begin.
 */
static size_t
receive_header(char *data, size_t size, size_t count, void *argument)
{
	SmartcarTransfer *transfer = (SmartcarTransfer *) argument;
	SmartcarBuffer *lines = &transfer->header_lines;
	size_t		length = size * count;

	transfer->phase = SMARTCAR_PHASE_RECEIVE;
	transfer->header_size += length;
	if (transfer->header_size > MAX_HEADERS_SIZE)
	{
		lines->too_large = true;
		return abort_transfer(transfer);
	}
	if (transfer->expects_status && length >= 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		smartcar_buffer_clear(lines, MAX_HEADER_SIZE);
		transfer->expects_status = false;
		transfer->is_interim = is_interim(data, length);
		return length;
	}
	if (data[0] == '\r' || data[0] == '\n')
		transfer->expects_status = transfer->is_interim;
	if (!smartcar_buffer_append(lines, data, length))
		return abort_transfer(transfer);
	return length;
}

/*
 * Frees a list of headers, and wipes the tokens in them.
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

	/* the callers have checked this; a line break would begin another header */
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
 * Allows https only, except to this machine.  Origins were validated when they
 * were set; this is the last check before the network.  Redirects are never
 * followed, because the other host would get the body and the secret in it.
 */
static void
restrict_destination(CURL *easy, const SmartcarRequest *request)
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

	/* ignore the proxy settings in the environment of the server */
	set_option(easy, CURLOPT_PROXY, "");

	/* send the path exactly as it was validated */
	set_option(easy, CURLOPT_PATH_AS_IS, 1L);
}

static void
set_tls(CURL *easy, const SmartcarHttpSettings *settings)
{
	set_option(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	set_option(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	set_option(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (settings->ca_file != NULL)
		set_option(easy, CURLOPT_CAINFO, settings->ca_file);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* with OpenSSL, libcurl caches the certificates of ca_file for a day */
	set_option_if_built_in(easy, CURLOPT_CA_CACHE_TIMEOUT, MAX_CONNECTION_LIFETIME);
#endif
}

/*
 * Sets the options of the connection, just before a try begins.  A fresh try
 * must not use an existing connection.
 */
void
smartcar_transfer_set_connection(SmartcarTransfer *transfer, const SmartcarRequest *request,
								 bool fresh, SmartcarDnsUse dns_use)
{
	CURL	   *easy = transfer->easy;
	bool		is_repeatable = request->kind == SMARTCAR_REQUEST_REPEATABLE;
	long		version = is_repeatable ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
	static const long dns_lifetimes[] = {
		[SMARTCAR_DNS_CACHE] = 60,
		[SMARTCAR_DNS_KEEP] = -1,
		[SMARTCAR_DNS_RENEW] = 0
	};

	/* signals, in particular SIGALRM, belong to PostgreSQL */
	set_option(easy, CURLOPT_NOSIGNAL, 1L);

#if LIBCURL_VERSION_NUM >= 0x075700
	/* ending a transfer must not wait for the resolver's thread */
	set_option(easy, CURLOPT_QUICK_EXIT, 1L);
#endif

	/*
	 * A libcurl without HTTP/2 uses HTTP/1.1.  So do requests that are not
	 * repeatable, because libcurl sends a request again if an HTTP/2 server
	 * refuses its stream.
	 */
	set_option_if_built_in(easy, CURLOPT_HTTP_VERSION, version);
	set_option(easy, CURLOPT_PIPEWAIT, is_repeatable ? 1L : 0L);
	set_option(easy, CURLOPT_DNS_CACHE_TIMEOUT, dns_lifetimes[dns_use]);
	set_option(easy, CURLOPT_MAXAGE_CONN, MAX_CONNECTION_IDLE);
#if LIBCURL_VERSION_NUM >= 0x075000
	set_option(easy, CURLOPT_MAXLIFETIME_CONN, MAX_CONNECTION_LIFETIME);
#endif

	/*
	 * If a kept connection turns out to be closed, libcurl sends the request
	 * again over a new one, although the server may have carried it out.  So
	 * a request that is not repeatable has a new connection, which is not
	 * kept.
	 */
	if (!is_repeatable || fresh)
		set_option(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (!is_repeatable)
		set_option(easy, CURLOPT_FORBID_REUSE, 1L);
}

static void
set_phases(SmartcarTransfer *transfer)
{
	CURL	   *easy = transfer->easy;

	transfer->opened_connection = false;
	transfer->reused_connection = false;
	transfer->stream_refused = false;
	transfer->unexpected_input = false;
	transfer->send_count = 0;

	/* a try that does not resolve its host waits for another's connection */
	transfer->phase = SMARTCAR_PHASE_CONNECT;
	set_option(easy, CURLOPT_RESOLVER_START_FUNCTION, begin_to_resolve);
	set_option(easy, CURLOPT_RESOLVER_START_DATA, transfer);
	set_option(easy, CURLOPT_SOCKOPTFUNCTION, begin_to_connect);
	set_option(easy, CURLOPT_SOCKOPTDATA, transfer);
	set_option(easy, CURLOPT_CLOSESOCKETFUNCTION, smartcar_pool_close_socket);
#if LIBCURL_VERSION_NUM >= 0x075000
	set_option(easy, CURLOPT_PREREQFUNCTION, begin_to_send);
	set_option(easy, CURLOPT_PREREQDATA, transfer);
#endif

	/* only OpenSSL has this; otherwise TLS is part of SMARTCAR_PHASE_CONNECT */
	if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, begin_tls) == CURLE_OK)
		set_option(easy, CURLOPT_SSL_CTX_DATA, transfer);
}

/*
 * Sets the method and the body, which libcurl does not copy: the request outlives
 * the transfer.  POST, PUT and PATCH without a body have a length of 0, because
 * some servers require a length.
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

void
smartcar_transfer_prepare(SmartcarTransfer *transfer, const SmartcarHttpSettings *settings,
						  const SmartcarRequest *request)
{
	CURL	   *easy = transfer->easy;

	if (easy == NULL)
		easy = transfer->easy = curl_easy_init();
	if (easy == NULL)
		check_option(CURLE_OUT_OF_MEMORY, "");
	curl_easy_reset(easy);
	smartcar_buffer_clear(&transfer->header_lines, MAX_HEADER_SIZE);
	smartcar_buffer_clear(&transfer->body, settings->max_response_size);
	transfer->header_size = 0;
	transfer->expects_status = true;
	transfer->reason[0] = '\0';

	free_headers(transfer->headers);
	transfer->headers = NULL;
	for (int i = 0; i < request->header_count; i++)
		add_header(transfer, request->headers[i]);
	/* send a body at once, without waiting for "100 Continue" */
	add_header(transfer, "Expect:");
	/* libcurl would add a type for an empty body */
	if (request->body.data == NULL)
		add_header(transfer, "Content-Type:");

	set_option(easy, CURLOPT_PRIVATE, transfer);
	set_option(easy, CURLOPT_ERRORBUFFER, transfer->reason);
	set_option(easy, CURLOPT_URL, request->url);
	set_option(easy, CURLOPT_USERAGENT, "smartcar_tesla/" SMARTCAR_TESLA_VERSION);
	set_option(easy, CURLOPT_HTTPHEADER, transfer->headers);
	set_option(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	set_option(easy, CURLOPT_HEADERFUNCTION, receive_header);
	set_option(easy, CURLOPT_HEADERDATA, transfer);
	set_option(easy, CURLOPT_WRITEFUNCTION, receive_body);
	set_option(easy, CURLOPT_WRITEDATA, transfer);

	/*
	 * src/http/run.c checks timeouts.  libcurl needs this one, because it
	 * divides it by the number of addresses, but it must not expire first.
	 */
	set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, settings->connect_timeout + 1000L);
	restrict_destination(easy, request);
	set_tls(easy, settings);
	set_phases(transfer);
	set_content(easy, request);
}

static SmartcarOutcome
transfer_outcome(const SmartcarTransfer *transfer, CURLcode code)
{
	if (transfer->header_lines.too_large)
		return SMARTCAR_OUTCOME_UNUSABLE;
	if (transfer->body.too_large)
		return SMARTCAR_OUTCOME_TOO_LARGE;
	if (transfer->body.out_of_memory || transfer->header_lines.out_of_memory)
		return SMARTCAR_OUTCOME_OUT_OF_MEMORY;

	switch (code)
	{
		case CURLE_OK:
			return SMARTCAR_OUTCOME_RESPONSE;
		case CURLE_OUT_OF_MEMORY:
			/* before libcurl 8.6, also a line of the header above 100 kB */
			return transfer->phase == SMARTCAR_PHASE_RECEIVE ?
				SMARTCAR_OUTCOME_UNUSABLE : SMARTCAR_OUTCOME_OUT_OF_MEMORY;
		case CURLE_OPERATION_TIMEDOUT:
			return SMARTCAR_OUTCOME_TIMED_OUT;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_ISSUER_ERROR:
			return SMARTCAR_OUTCOME_TLS_FAILED;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_WRITE_ERROR: /* also a bad content encoding */
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:	/* too many headers */
#endif
			return SMARTCAR_OUTCOME_UNUSABLE;
		default:
			/* also CURLE_SSL_CONNECT_ERROR: no certificate was refused */
			return SMARTCAR_OUTCOME_NO_CONNECTION;
	}
}

static SmartcarPhase
current_phase(const SmartcarTransfer *transfer)
{
#if LIBCURL_VERSION_NUM < 0x075000
	/* this libcurl has no begin_to_send(), but this time is reliable */
	curl_off_t	microseconds = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
	if (microseconds > 0 && transfer->phase < SMARTCAR_PHASE_WAIT)
		return SMARTCAR_PHASE_WAIT;
#endif
	return transfer->phase;
}

static SmartcarPhase
result_phase(const SmartcarTransfer *transfer, SmartcarOutcome outcome)
{
	/* it may fail before TLS begins, for example if ca_file is not readable */
	if (outcome == SMARTCAR_OUTCOME_TLS_FAILED)
		return SMARTCAR_PHASE_TLS;
	return current_phase(transfer);
}

/*
 * Registers the connection of a try with the pool as idle, if it is HTTP/1.1.
 */
void
smartcar_transfer_record_idle(const SmartcarTransfer *transfer)
{
	long		version = 0;
	long		port = 0;
	curl_socket_t socket = CURL_SOCKET_BAD;

	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(transfer->easy, CURLINFO_LOCAL_PORT, &port);
	if ((version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1) && port > 0 &&
		curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
		socket != CURL_SOCKET_BAD)
		smartcar_pool_add_socket(socket, (int) port);
}

/*
 * Whether a try has resolved the name of its host.
 */
bool
smartcar_transfer_is_resolved(const SmartcarTransfer *transfer)
{
	return transfer->opened_connection || smartcar_transfer_has_connection(transfer);
}

/*
 * How often a try has sent its request; at least 1, because older versions of
 * libcurl do not call begin_to_send().
 */
int
smartcar_transfer_send_count(const SmartcarTransfer *transfer)
{
	return Max(transfer->send_count, 1);
}

/*
 * Whether a running try has a connection.
 */
bool
smartcar_transfer_has_connection(const SmartcarTransfer *transfer)
{
	return current_phase(transfer) >= SMARTCAR_PHASE_WAIT;
}

/*
 * Prepares libcurl's error text for use within a sentence.  It may quote a
 * certificate, which can have any encoding.
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
 * The result of a try; the caller fills in elapsed and tries.
 */
void
smartcar_transfer_result(SmartcarTransfer *transfer, CURLcode code, SmartcarResponse *response)
{
	long		status = 0;

	response->outcome = transfer_outcome(transfer, code);
	response->phase = result_phase(transfer, response->outcome);
	response->headers = smartcar_buffer_span(&transfer->header_lines);
	response->body = smartcar_buffer_span(&transfer->body);
	if (transfer->header_lines.too_large)
		strlcpy(transfer->reason, "Its header is too large", sizeof(transfer->reason));
	else if (transfer->stream_refused)
		strlcpy(transfer->reason, "The server refused the stream", sizeof(transfer->reason));
	else if (code == CURLE_OUT_OF_MEMORY)
		strlcpy(transfer->reason, "A line of its header is too long", sizeof(transfer->reason));
	else if (transfer->reason[0] == '\0' && code != CURLE_OK)
		strlcpy(transfer->reason, curl_easy_strerror(code), sizeof(transfer->reason));
	trim_reason(transfer->reason);
	response->reason = transfer->reason;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	response->status = response->outcome == SMARTCAR_OUTCOME_RESPONSE ? (int) status : 0;
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
