/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  The secrets of a user mapping.
 *
 * A secret stands in the mapping itself or, better, in a file that the mapping
 * names.  A file is read when its secret is used, so a new secret takes effect
 * with the next query.
 *
 * src/pg/secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/secret.h"

#include "pg/secret_file.h"

/*
 * The secret that a file holds, which is one line.
 */
static char *
read_secret(const char *path)
{
	char	   *secret = smartcar_read_secret_file(path);

	if (!smartcar_span_is_visible(smartcar_span_from_string(secret)))
	{
		explicit_bzero(secret, strlen(secret));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("secret file \"%s\" does not hold a secret", path),
				 errdetail("It must hold one line of visible ASCII characters without spaces.")));
	}
	return secret;
}

/*
 * A secret of the user mapping of the current role, to be used within this
 * call; an error if there is none.  option is the one for the secret itself.
 * argument is the name of the argument that could give it instead, or NULL.
 */
const char *
smartcar_secret(SmartcarServer *server, SmartcarOption option, const char *argument)
{
	SmartcarOption file_option = (SmartcarOption) (option + 1);

	Assert(smartcar_option_is_secret(option));

	smartcar_server_load_mapping(server);
	if (server->values[option] != NULL)
		return server->values[option];
	if (server->values[file_option] != NULL)
		return read_secret(server->values[file_option]);

	smartcar_missing_value(server, option, argument);
	return NULL;				/* keep compiler quiet */
}
