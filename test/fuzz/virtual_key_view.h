/*-------------------------------------------------------------------------
 *
 * virtual_key_view.h
 *	  What a link to a virtual key must look like, to us and to libcurl.
 *
 * Two targets ask this: the one of the links and the one of the callback,
 * which carries such a link.
 *
 * test/fuzz/virtual_key_view.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FUZZ_VIRTUAL_KEY_VIEW_H
#define SMARTCAR_FUZZ_VIRTUAL_KEY_VIEW_H

#include "curl_view.h"
#include "reference.h"

#define NAME_MAX_LENGTH			253
#define NAME_LABEL_MAX_LENGTH	63

static inline bool
name_lengths_valid(SmartcarSpan name)
{
	size_t		label = 0;

	for (size_t i = 0; i < name.length; i++)
	{
		label = name.data[i] == '.' ? 0 : label + 1;
		if (label > NAME_LABEL_MAX_LENGTH)
			return false;
	}
	return name.length <= NAME_MAX_LENGTH;
}

static inline bool
is_virtual_key_url(SmartcarSpan url)
{
	static regex_t pattern;
	static bool compiled;
	SmartcarSpan domain;

	if (!compiled)
		pattern_compile(&pattern, "^https://(www\\.)?tesla\\.(com|cn)/_ak/"
						"(" LOWER_LABEL_PATTERN "\\.)+" LOWER_LABEL_PATTERN "$");
	compiled = true;

	if (!pattern_matches(&pattern, url))
		return false;
	domain = url;
	for (size_t i = url.length; i > 0; i--)
	{
		if (url.data[i - 1] == '/')
		{
			domain = smartcar_span_skip(url, i);
			break;
		}
	}
	return name_lengths_valid(domain);
}

/* An accepted link leads to Tesla and nowhere else. */
static inline void
check_virtual_key_url(SmartcarSpan url)
{
	static const char *const hosts[] = {
		"www.tesla.com", "tesla.com", "www.tesla.cn", "tesla.cn"
	};
	CurlView	view;
	bool		allowed = false;

	PROPERTY(curl_view_open(&view, url), url, "libcurl parses a link to a key");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		allowed |= same_string(view.host, hosts[i]);
	PROPERTY(allowed, url, "the host of a link to a key is one of Tesla's four");
	PROPERTY(same_string(view.scheme, "https"), url, "a link to a key is https");
	PROPERTY(view.user == NULL && view.password == NULL && view.port == NULL, url,
			 "a link to a key has no user and no port");
	PROPERTY(view.query == NULL && view.fragment == NULL, url,
			 "a link to a key has no query and no fragment");
	PROPERTY(strncmp(view.path, "/_ak/", 5) == 0 && strchr(view.path + 5, '/') == NULL, url,
			 "the path of a link to a key is /_ak/ and a domain");
	curl_view_close(&view);
}

#endif							/* SMARTCAR_FUZZ_VIRTUAL_KEY_VIEW_H */
