/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  The secrets of a user mapping.
 *
 * A secret is an option of the mapping or, better, in a file that an option names.
 * The file is read each time the secret is used, so that a new secret takes effect
 * with the next query.
 *
 * src/pg/secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/secret.h"

#include "storage/fd.h"

/* A larger file is not a secret. */
#define MAX_FILE_SIZE	8192

/*
 * Raises an error if others may read the file.  A file of root may be readable by
 * its group, which then is the group of the database user.
 */
static void
check_permissions(const char *path, const struct stat *status)
{
	mode_t		forbidden;

	if (!S_ISREG(status->st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("secret file \"%s\" is not a regular file", path)));

	if (status->st_uid != geteuid() && status->st_uid != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("secret file \"%s\" belongs neither to the database user nor to root", path)));

	forbidden = status->st_uid == geteuid() ?
		(S_IRWXG | S_IRWXO) : (S_IWGRP | S_IXGRP | S_IRWXO);
	if (status->st_mode & forbidden)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("secret file \"%s\" has group or world access", path),
				 errdetail("Its mode must be 0600 or less if the database user owns it, and 0640 or less if root does.")));
}

/*
 * Reads a file, without the line breaks at its end.  The caller must wipe the
 * result.
 */
char *
smartcar_read_secret_file(const char *path)
{
	char		buffer[MAX_FILE_SIZE + 1];
	struct stat status;
	volatile ssize_t length = 0;
	int			fd;
	char	   *content;

	/* opening a FIFO must not block; check_permissions() refuses it */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open secret file \"%s\": %m", path)));
	PG_TRY();
	{
		if (fstat(fd, &status) != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not stat secret file \"%s\": %m", path)));
		check_permissions(path, &status);

		length = read(fd, buffer, sizeof(buffer));
		if (length < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read secret file \"%s\": %m", path)));
	}
	PG_FINALLY();
	{
		/*
		 * the transaction may continue after an error, see
		 * smartcar_key_ring_reread()
		 */
		CloseTransientFile(fd);
	}
	PG_END_TRY();

	if (length > MAX_FILE_SIZE)
	{
		explicit_bzero(buffer, sizeof(buffer));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("secret file \"%s\" is larger than %d bytes", path, MAX_FILE_SIZE)));
	}

	while (length > 0 && (buffer[length - 1] == '\n' || buffer[length - 1] == '\r'))
		length--;
	if (memchr(buffer, '\0', length) != NULL)
	{
		explicit_bzero(buffer, sizeof(buffer));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("secret file \"%s\" does not hold a secret", path),
				 errdetail("It contains a zero byte.")));
	}

	content = pnstrdup(buffer, length);
	explicit_bzero(buffer, sizeof(buffer));
	return content;
}

/*
 * Reads a secret, which is the only line of its file.
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
 * A secret of the user mapping of the current role, or NULL.  option is that of
 * the secret; the next option is that of its file.
 */
const char *
smartcar_optional_secret(SmartcarServer *server, SmartcarOption option)
{
	SmartcarOption file_option = (SmartcarOption) (option + 1);
	const char *secret;
	const char *path;

	Assert(smartcar_option_is_secret(option));

	smartcar_server_load_mapping(server);
	secret = smartcar_server_option(server, option);
	if (secret != NULL)
		return secret;
	path = smartcar_server_option(server, file_option);
	return path != NULL ? read_secret(path) : NULL;
}

/*
 * A secret of the user mapping of the current role, or the error that it is
 * missing.  argument is the name of the argument that can replace it, or NULL.
 */
const char *
smartcar_secret(SmartcarServer *server, SmartcarOption option, const char *argument)
{
	const char *secret = smartcar_optional_secret(server, option);

	if (secret == NULL)
		smartcar_missing_value(server, option, argument);
	return secret;
}
