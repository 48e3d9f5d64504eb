/*-------------------------------------------------------------------------
 *
 * home.c
 *	  The owner and the schema of the extension.
 *
 * src/manager/home.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/home.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * Kept, because there is no cache of pg_extension, and a lookup for each statement takes
 * 3 % of the time of an event.  The owner is InvalidOid if it must be looked up.
 */
static SmartcarHome home = {InvalidOid};

/* how often the home may have changed */
static uint64 changes = 0;

static void
forget_home(Datum arg, int cacheid, uint32 hashvalue)
{
	home.owner = InvalidOid;
	changes++;
}

static SmartcarHome
look_up_home(void)
{
	SmartcarHome found = {InvalidOid};
	Relation	relation = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("smartcar_tesla"));
	scan = systable_beginscan(relation, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		strlcpy(found.schema, quote_identifier(get_namespace_name(form->extnamespace)),
				sizeof(found.schema));
		found.owner = form->extowner;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	if (!OidIsValid(found.owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"%s\" does not exist", "smartcar_tesla")));
	return found;
}

/*
 * A command that changes the owner of the extension also changes that of its functions,
 * and the schema can only be renamed.
 */
SmartcarHome
smartcar_home(void)
{
	static bool is_registered = false;
	SmartcarHome found;
	uint64		changes_before;

	if (!is_registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget_home, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_home, (Datum) 0);
		is_registered = true;
	}
	if (OidIsValid(home.owner))
		return home;

	/* do not keep what another session has changed during the lookup */
	changes_before = changes;
	found = look_up_home();
	if (changes == changes_before)
		home = found;
	return found;
}
