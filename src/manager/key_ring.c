/*-------------------------------------------------------------------------
 *
 * key_ring.c
 *	  The keys with which tokens are sealed.
 *
 * They are in the file that the option token_key_file of a server names, one on a line:
 * an id, a space, and 64 hexadecimal digits.  A new key is put before the old ones,
 * which stay in the file until nothing is sealed with them.
 *
 * src/manager/key_ring.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/key_ring.h"

#include "utils/builtins.h"

#include "core/hex.h"
#include "pg/holdoff.h"
#include "pg/secret.h"

/* The command that generates the first key, for hints. */
#define MAKE_KEY_COMMAND \
	"umask 077; echo \"key1 $(openssl rand -hex 32)\" > "

static void
raise_missing_key_file(const SmartcarServer *server)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("there is no key to seal tokens with"),
			 errdetail("Server \"%s\" has no option \"token_key_file\".", server->name),
			 errhint("Make a key as the operating system user of the server, with %s/etc/smartcar/token_key, and have a superuser run ALTER SERVER %s OPTIONS (ADD token_key_file '/etc/smartcar/token_key').",
					 MAKE_KEY_COMMAND, quote_identifier(server->name))));
}

static bool
is_id_character(char c)
{
	return smartcar_is_digit(c) || smartcar_is_lower(smartcar_ascii_lower(c)) ||
		c == '-' || c == '_' || c == '.';
}

bool
smartcar_key_id_valid(SmartcarSpan id)
{
	for (size_t i = 0; i < id.length; i++)
	{
		if (!is_id_character(id.data[i]))
			return false;
	}
	return id.length > 0 && id.length <= SMARTCAR_KEY_ID_MAX_LENGTH;
}

static bool
read_key(SmartcarSpan line, SmartcarKey *key)
{
	const char *space = line.length > 0 ? memchr(line.data, ' ', line.length) : NULL;
	size_t		length;

	if (space == NULL)
		return false;
	length = (size_t) (space - line.data);
	if (!smartcar_key_id_valid(smartcar_span(line.data, length)))
		return false;
	memcpy(key->id, line.data, length);
	key->id[length] = '\0';
	return smartcar_hex_decode(smartcar_span_skip(line, length + 1), key->bytes,
							   SMARTCAR_KEY_SIZE);
}

static void
raise_malformed_line(SmartcarKeyRing *ring, int number)
{
	smartcar_key_ring_wipe(ring);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("key file \"%s\" has an invalid line %d", ring->path, number),
			 errdetail("A line is an id of at most %d letters, digits, \"-\", \"_\" and \".\", one space, and %d hexadecimal digits; no two lines have the same id, and there are at most %d.",
					   SMARTCAR_KEY_ID_MAX_LENGTH, SMARTCAR_KEY_SIZE * 2, SMARTCAR_MAX_KEYS)));
}

static void
read_keys(SmartcarKeyRing *ring, const SmartcarServer *server)
{
	char	   *content;
	SmartcarSpan rest;
	int			number = 0;

	memset(ring, 0, sizeof(*ring));
	ring->path = smartcar_server_option(server, SMARTCAR_OPTION_TOKEN_KEY_FILE);
	if (ring->path == NULL)
		raise_missing_key_file(server);

	content = smartcar_read_secret_file(ring->path);
	rest = smartcar_span_from_string(content);
	do
	{
		const char *end = memchr(rest.data, '\n', rest.length);
		SmartcarSpan line = smartcar_span(rest.data,
										  end ? (size_t) (end - rest.data) : rest.length);
		SmartcarKey key;
		bool		is_key;

		rest = smartcar_span_skip(rest, end ? line.length + 1 : line.length);
		if (line.length > 0 && line.data[line.length - 1] == '\r')
			line.length--;
		number++;
		is_key = ring->count < SMARTCAR_MAX_KEYS && read_key(line, &key) &&
			smartcar_key_ring_find(ring, smartcar_span_from_string(key.id)) == NULL;
		if (is_key)
			ring->keys[ring->count++] = key;
		explicit_bzero(&key, sizeof(key));
		if (!is_key)
		{
			explicit_bzero(content, strlen(content));
			raise_malformed_line(ring, number);
		}
	} while (rest.length > 0);
	explicit_bzero(content, strlen(content));
	pfree(content);
}

/*
 * Reads the keys of a server, and raises an error if there are none.  The caller wipes
 * them.
 */
void
smartcar_key_ring_read(SmartcarKeyRing *ring, SmartcarServer *server)
{
	/* an application of version 3 must not be told to generate a key */
	if (!smartcar_server_has(server, SMARTCAR_OPTION_TOKEN_KEY_FILE))
		smartcar_server_check_credentials(server);
	read_keys(ring, server);
}

/*
 * Reads the keys again before something is sealed, because the file may have changed
 * since they were read.  If it cannot be read, the old keys stay: tokens that Smartcar
 * has issued must be sealed with some key.
 */
void
smartcar_key_ring_reread(SmartcarKeyRing *ring, const SmartcarServer *server)
{
	MemoryContext context = CurrentMemoryContext;
	SmartcarHoldoff holdoff = smartcar_save_holdoff();
	SmartcarKeyRing fresh;

	/* reading a file leaves nothing that a subtransaction would roll back */
	PG_TRY();
	{
		read_keys(&fresh, server);
		*ring = fresh;
		smartcar_key_ring_wipe(&fresh);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		smartcar_restore_holdoff(holdoff);
	}
	PG_END_TRY();
}

const SmartcarKey *
smartcar_key_ring_find(const SmartcarKeyRing *ring, SmartcarSpan id)
{
	for (int i = 0; i < ring->count; i++)
	{
		if (smartcar_span_equal(smartcar_span_from_string(ring->keys[i].id), id))
			return &ring->keys[i];
	}
	return NULL;
}

void
smartcar_key_ring_wipe(SmartcarKeyRing *ring)
{
	explicit_bzero(ring->keys, sizeof(ring->keys));
	ring->count = 0;
}
