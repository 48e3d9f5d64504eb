/*-------------------------------------------------------------------------
 *
 * curl_view.h
 *	  A URL as libcurl reads it.
 *
 * Whether a URL is safe depends on what the program that follows it makes of
 * it.  libcurl's parser is what the extension itself connects with, and it is
 * not ours, so it is the judge of every URL that src/core builds or accepts.
 *
 * test/fuzz/curl_view.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FUZZ_CURL_VIEW_H
#define SMARTCAR_FUZZ_CURL_VIEW_H

#include "harness.h"

#include <arpa/inet.h>
#include <curl/curl.h>

/* A part that the URL does not have is NULL. */
typedef struct CurlView
{
	char	   *scheme;
	char	   *user;
	char	   *password;
	char	   *host;
	char	   *port;
	char	   *path;
	char	   *query;
	char	   *fragment;
} CurlView;

/* Returns whether libcurl takes it for a URL at all. */
static inline bool
curl_view_open(CurlView *view, SmartcarSpan url)
{
	CURLU	   *handle;
	bool		parsed;

	memset(view, 0, sizeof(*view));
	if (url.length == 0 || memchr(url.data, '\0', url.length) != NULL)
		return false;

	handle = curl_url();
	parsed = curl_url_set(handle, CURLUPART_URL, block_string(url), 0) == CURLUE_OK;
	if (parsed)
	{
		curl_url_get(handle, CURLUPART_SCHEME, &view->scheme, 0);
		curl_url_get(handle, CURLUPART_USER, &view->user, 0);
		curl_url_get(handle, CURLUPART_PASSWORD, &view->password, 0);
		curl_url_get(handle, CURLUPART_HOST, &view->host, 0);
		curl_url_get(handle, CURLUPART_PORT, &view->port, 0);
		curl_url_get(handle, CURLUPART_PATH, &view->path, 0);
		curl_url_get(handle, CURLUPART_QUERY, &view->query, 0);
		curl_url_get(handle, CURLUPART_FRAGMENT, &view->fragment, 0);
	}
	curl_url_cleanup(handle);
	return parsed;
}

static inline void
curl_view_close(CurlView *view)
{
	curl_free(view->scheme);
	curl_free(view->user);
	curl_free(view->password);
	curl_free(view->host);
	curl_free(view->port);
	curl_free(view->path);
	curl_free(view->query);
	curl_free(view->fragment);
}

static inline bool
same_string(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The bytes that libcurl decodes an escaped text to, in a block. */
static inline SmartcarSpan
curl_unescaped(SmartcarSpan text)
{
	int			length = 0;
	char	   *bytes = curl_easy_unescape(NULL, block_string(text), (int) text.length, &length);
	SmartcarSpan copy = block_copy(smartcar_span(bytes, (size_t) length));

	curl_free(bytes);
	return copy;
}

/*
 * The host of "scheme://host...", by nothing but its place; user names and the
 * like have been ruled out by the caller.
 */
static inline SmartcarSpan
written_host(SmartcarSpan url)
{
	SmartcarSpan host;
	size_t		length = 0;

	while (url.length > 0 && url.data[0] != '/')
		url = smartcar_span_skip(url, 1);
	host = url.length >= 2 ? smartcar_span_skip(url, 2) : url;
	while (length < host.length && !is_one_of(host.data[length], "/?#") &&
		   (host.data[0] == '[' || host.data[length] != ':') &&
		   (length == 0 || host.data[length - 1] != ']'))
		length++;
	return smartcar_span(host.data, length);
}

/*
 * Whether a host is the one that libcurl has read.  libcurl writes addresses
 * in their shortest form, so these are compared as addresses.
 */
static inline bool
is_host(SmartcarSpan written, const char *host)
{
	unsigned char a[sizeof(struct in6_addr)];
	unsigned char b[sizeof(struct in6_addr)];
	struct in_addr loose;
	char	   *string = block_string(written);
	size_t		length;

	if (host == NULL)
		return false;
	length = strlen(host);
	if (smartcar_span_equal_ignoring_case(written, smartcar_span(host, length)))
		return true;
	if (written.length > 2 && written.data[0] == '[' && host[0] == '[')
	{
		char	   *inner = block_string(smartcar_span(host + 1, length - 2));

		string[written.length - 1] = '\0';
		return inet_pton(AF_INET6, string + 1, a) == 1 &&
			inet_pton(AF_INET6, inner, b) == 1 && memcmp(a, b, sizeof(a)) == 0;
	}
	return inet_aton(string, &loose) == 1 && inet_pton(AF_INET, host, b) == 1 &&
		memcmp(&loose, b, sizeof(loose)) == 0;
}

/* Whether a request to this host stays on the machine. */
static inline bool
is_loopback_host(const char *host)
{
	struct in_addr address;

	if (smartcar_span_equal_ignoring_case(smartcar_span_from_string(host),
										  SMARTCAR_SPAN("localhost")) ||
		strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

#endif							/* SMARTCAR_FUZZ_CURL_VIEW_H */
